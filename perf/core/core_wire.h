#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/core/core.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::core {

/// N ordering cores in one thread, over a wire that is a memcpy: no rings of clients, no cipher, no
/// network. The first node orders.
class CoreWire {
 public:
  static constexpr std::uint64_t kLogBytes = 16U << 20;

  explicit CoreWire(std::size_t nodes);

  /// One turn of every node; `sender` submits as many messages of `bytes` as fit, 256 at most.
  void turn(std::size_t sender, std::uint32_t bytes);
  [[nodiscard]] std::uint64_t delivered(std::size_t node) const { return nodes_[node].delivered; }

 private:
  struct Node {
    std::vector<shm::MirroredRing> rings;
    std::unique_ptr<Core> core;
    std::uint64_t delivered = 0;
  };

  void send(std::size_t from);

  std::vector<Node> nodes_;
  TimeNs now_ = kSecond;
};

}  // namespace phalanx::core
