#pragma once

#include "config/config.h"
#include "ipc/shm/statistics_layout.h"

namespace phalanx::controlplane {

/// Knows whether the port of a data path that passes the kernel by has a link, from what the worker
/// says of it: of two networks, the first. Says "up" where nobody can tell: of the kernel's own
/// wires, of memif (whose links are its peers' lives), without a data plane, and before the port
/// had its first link.
class PortLink {
 public:
  explicit PortLink(const config::TransportSection& set)
      : watches_(set.kind == config::TransportKind::Verbs ||
                 (set.kind == config::TransportKind::Dpdk && set.port != "memif")) {}

  [[nodiscard]] bool watches() const noexcept { return watches_; }
  [[nodiscard]] bool is_up() const noexcept { return up_; }

  /// Whether is_up() has another answer from now on. Only with a status that was read whole: what
  /// could not be read says nothing of the port.
  [[nodiscard]] bool look(const shm::WorkerStatus& worker) noexcept;
  /// The data plane is gone; the next one's port starts without a link.
  void forget() noexcept;

 private:
  bool watches_;
  bool up_ = true;
  bool had_link_ = false;
};

}  // namespace phalanx::controlplane
