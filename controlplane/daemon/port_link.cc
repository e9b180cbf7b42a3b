#include "controlplane/daemon/port_link.h"

namespace phalanx::controlplane {

bool PortLink::look(const std::optional<shm::WorkerStatus>& worker) noexcept {
  const bool was_up = up_;
  if (!watches_ || !worker || worker->transport.ports == 0) {
    had_link_ = false;
    up_ = true;
    return up_ != was_up;
  }
  if (worker->transport.ports_up > 0) had_link_ = true;
  up_ = !had_link_ || worker->transport.ports_up > 0;
  return up_ != was_up;
}

}  // namespace phalanx::controlplane
