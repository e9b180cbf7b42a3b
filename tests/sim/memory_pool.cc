#include "tests/sim/memory_pool.h"

#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::sim {

shm::MirroredRing MemoryPool::take(std::uint64_t bytes) {
  auto& free_rings = free_[bytes];
  if (free_rings.empty()) {
    auto created = shm::MirroredRing::create(bytes, {.name = "phalanx-sim"});
    PHX_CHECK(created.has_value());
    free_rings.push_back(std::move(*created));
  }
  shm::MirroredRing ring = std::move(free_rings.back());
  free_rings.pop_back();
  std::memset(ring.data(), 0xA5, bytes);
  return ring;
}

void MemoryPool::give_back(shm::MirroredRing ring) {
  free_[ring.bytes()].push_back(std::move(ring));
}

NodeMemory::NodeMemory(MemoryPool& pool, const Sizes& sizes, std::size_t lanes, std::size_t nodes)
    : pool_(pool) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    core::LaneMemory memory;
    memory.log = borrow(sizes.log);
    memory.stream = borrow(sizes.stream);
    memory.staging = borrow(sizes.staging);
    for (std::size_t i = 0; i < nodes; ++i) memory.origins.push_back(borrow(sizes.origin));
    lanes_.push_back(std::move(memory));
  }
}

NodeMemory::~NodeMemory() {
  for (shm::MirroredRing& ring : rings_) pool_.give_back(std::move(ring));
}

core::RingMemory NodeMemory::borrow(std::uint64_t bytes) {
  rings_.push_back(pool_.take(bytes));
  return {.data = rings_.back().data(), .bytes = rings_.back().bytes()};
}

}  // namespace phalanx::sim
