#include "dataplane/memory/lane_rings.h"

#include <algorithm>
#include <bit>

namespace phalanx::dataplane {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kHugePageBytes = 2u << 20;

}  // namespace

Expected<core::RingMemory, Error> LaneRings::add(const char* name, std::uint64_t bytes_min) {
  const std::uint64_t bytes = std::bit_ceil(std::max(bytes_min, kPageBytes));
  const bool huge = bytes % kHugePageBytes == 0;
  auto ring = shm::MirroredRing::create(bytes, {.name = name, .hugetlb = huge, .prefault = false});
  if (!ring) return fail(std::move(ring.error()));
  rings_.push_back(std::move(*ring));
  return core::RingMemory{rings_.back().data(), bytes};
}

Expected<LaneRings, Error> LaneRings::create(const core::CoreConfig& config, std::size_t nodes) {
  LaneRings out;
  for (LaneId lane = 0; lane < config.share().count(); ++lane) {
    core::LaneMemory memory;
    const std::uint64_t staging =
        std::uint64_t{config.record_bytes_max} + config.submit_window_bytes;
    struct Part {
      core::RingMemory* ring;
      const char* name;
      std::uint64_t bytes;
    };
    memory.origins.resize(nodes);
    std::vector<Part> parts = {{&memory.log, "phalanx-log", config.log_bytes},
                               {&memory.stream, "phalanx-stream", config.stream_bytes},
                               {&memory.staging, "phalanx-staging", staging}};
    for (core::RingMemory& origin : memory.origins) {
      parts.push_back({&origin, "phalanx-origin", config.submit_window_bytes});
    }
    for (const Part& part : parts) {
      auto ring = out.add(part.name, part.bytes);
      if (!ring) return fail(std::move(ring.error()));
      *part.ring = *ring;
    }
    out.lanes_.push_back(std::move(memory));
  }
  return out;
}

}  // namespace phalanx::dataplane
