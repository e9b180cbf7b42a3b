#pragma once

#include <optional>

#include "config/config.h"
#include "ipc/shm/statistics_layout.h"

namespace phalanx::controlplane {

/// Knows whether the port of a data path that passes the kernel by has a link, from what the worker
/// says of it. Says "up" where nobody can tell: of the kernel's own wires, of memif (whose links
/// are its peers' lives), without a data plane, and before the port had its first link.
class PortLink {
 public:
  explicit PortLink(const config::TransportSection& set)
      : watches_(set.kind == config::TransportKind::Verbs ||
                 (set.kind == config::TransportKind::Dpdk && set.port != "memif")) {}

  [[nodiscard]] bool watches() const noexcept { return watches_; }
  [[nodiscard]] bool is_up() const noexcept { return up_; }

  /// Whether is_up() has another answer from now on. `worker`: none without a data plane.
  [[nodiscard]] bool look(const std::optional<shm::WorkerStatus>& worker) noexcept;

 private:
  bool watches_;
  bool up_ = true;
  bool had_link_ = false;
};

}  // namespace phalanx::controlplane
