#include "controlplane/daemon/port_link.h"

namespace phalanx::controlplane {

bool PortLink::look(const shm::WorkerStatus& worker) noexcept {
  const shm::TransportStatus& all = worker.transport;
  if (!watches_ || (link_ > 0 && all.links <= link_)) return false;
  const std::uint32_t ports = all.links > 0 ? all.link[link_].ports : all.ports;
  const std::uint32_t up = all.links > 0 ? all.link[link_].ports_up : all.ports_up;
  if (ports == 0) return false;
  const bool was_up = up_;
  if (up > 0) had_link_ = true;
  up_ = !had_link_ || up > 0;
  return up_ != was_up;
}

void PortLink::forget() noexcept {
  had_link_ = false;
  up_ = true;
}

}  // namespace phalanx::controlplane
