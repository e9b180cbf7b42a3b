#pragma once

#include <vector>

#include "config/config.h"
#include "dataplane/core/core.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/shm/mirrored_ring.h"
#include "transport/transport.h"

namespace phalanx::dataplane {

/// What the core is to be made with: the configuration's sizes, and windows that fit the
/// transport's receive ring. An error names the keys that do not go together.
[[nodiscard]] Expected<core::CoreConfig, Error> core_config(
    const config::Config& config, const BootId& boot, const transport::TransportLimits& limits);

/// The rings of all lanes, owned. Pages are allocated as they are first used; huge ones where there
/// are any.
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
