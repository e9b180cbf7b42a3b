#pragma once

#include <cstddef>

#include "config/config.h"
#include "ipc/shm/statistics_layout.h"

namespace phalanx::controlplane {

/// Knows whether the port of a data path that passes the kernel by has a link, from what the worker
/// says of it. Says "up" where nobody can tell: of the kernel's own
/// wires, of memif (whose links are its peers' lives), without a data plane, and before the port
/// had its first link.
class PortLink {
 public:
  explicit PortLink(const config::TransportSection& set)
      : PortLink(0, set.kind == config::TransportKind::Verbs ||
                        (set.kind == config::TransportKind::Dpdk && set.port != "memif")) {}
  /// Of a second network.
  explicit PortLink(const config::SecondSection& set)
      : PortLink(1, set.enabled && set.kind == config::TransportKind::Dpdk) {}

  [[nodiscard]] bool watches() const noexcept { return watches_; }
  [[nodiscard]] bool is_up() const noexcept { return up_; }

  /// Whether is_up() has another answer from now on. Only with a status that was read whole: what
  /// could not be read says nothing of the port.
  [[nodiscard]] bool look(const shm::WorkerStatus& worker) noexcept;
  /// The data plane is gone; the next one's port starts without a link.
  void forget() noexcept;

 private:
  PortLink(std::size_t link, bool watches) : link_(link), watches_(watches) {}

  std::size_t link_;
  bool watches_;
  bool up_ = true;
  bool had_link_ = false;
};

}  // namespace phalanx::controlplane
