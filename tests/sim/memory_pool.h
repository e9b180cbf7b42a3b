#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "dataplane/core/core.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::sim {

/// Mirrored rings, kept from history to history: mapping one costs more than many a history.
class MemoryPool {
 public:
  /// A ring filled with one byte value, so that no history reads what an earlier one left.
  [[nodiscard]] shm::MirroredRing take(std::uint64_t bytes);
  void give_back(shm::MirroredRing ring);

 private:
  std::map<std::uint64_t, std::vector<shm::MirroredRing>> free_;
};

/// The rings of one node's lanes, borrowed from the pool.
class NodeMemory {
 public:
  struct Sizes {
    std::uint64_t log = 0;
    std::uint64_t stream = 0;
    std::uint64_t staging = 0;
    std::uint64_t origin = 0;
  };
  NodeMemory(MemoryPool& pool, const Sizes& sizes, std::size_t lanes, std::size_t nodes);
  ~NodeMemory();
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;

  [[nodiscard]] const std::vector<core::LaneMemory>& lanes() const noexcept { return lanes_; }

 private:
  core::RingMemory borrow(std::uint64_t bytes);

  MemoryPool& pool_;
  std::vector<shm::MirroredRing> rings_;
  std::vector<core::LaneMemory> lanes_;
};

}  // namespace phalanx::sim
