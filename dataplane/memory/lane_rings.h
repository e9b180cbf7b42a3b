#pragma once

#include <span>
#include <vector>

#include "dataplane/core/core.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::dataplane {

/// The rings of a core's share of the lanes, owned. Pages are allocated as they are first used,
/// logs and streams that are lent to an adapter when they are lent; huge ones where there are any.
class LaneRings {
 public:
  [[nodiscard]] static Expected<LaneRings, Error> create(const core::CoreConfig& config,
                                                         std::size_t nodes);

  [[nodiscard]] std::span<const core::LaneMemory> lanes() const noexcept { return lanes_; }

 private:
  [[nodiscard]] Expected<core::RingMemory, Error> add(const char* name, std::uint64_t bytes_min);

  std::vector<shm::MirroredRing> rings_;
  std::vector<core::LaneMemory> lanes_;
};

}  // namespace phalanx::dataplane
