#pragma once

#include "config/config.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/shm/lane_map.h"

namespace phalanx::dataplane {

/// In which lane a group is, by the configuration. Cold; fails where two names have one id.
[[nodiscard]] Expected<shm::LaneMap, Error> lane_map(const config::Config& config);

}  // namespace phalanx::dataplane
