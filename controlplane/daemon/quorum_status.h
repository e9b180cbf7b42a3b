#pragma once

#include <nlohmann/json_fwd.hpp>

#include "config/config.h"
#include "controlplane/quorum/quorum.h"

namespace phalanx::controlplane {

/// "quorum" of `phalanx status --json`: the shape is in README.md.
[[nodiscard]] nlohmann::json quorum_json(const config::Config& config, const quorum::Quorum& quorum,
                                         TimeNs device_heard, TimeNs now);

}  // namespace phalanx::controlplane
