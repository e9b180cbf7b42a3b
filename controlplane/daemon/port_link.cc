#include "controlplane/daemon/port_link.h"

namespace phalanx::controlplane {

bool PortLink::look(const shm::WorkerStatus& worker) noexcept {
  if (!watches_ || worker.transport.ports == 0) return false;
  const bool was_up = up_;
  if (worker.transport.ports_up > 0) had_link_ = true;
  up_ = !had_link_ || worker.transport.ports_up > 0;
  return up_ != was_up;
}

void PortLink::forget() noexcept {
  had_link_ = false;
  up_ = true;
}

}  // namespace phalanx::controlplane
