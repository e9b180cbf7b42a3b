#pragma once

#include "config/config.h"
#include "controlplane/daemon/conductor.h"
#include "controlplane/map/service.h"
#include "controlplane/map/store.h"

#include <nlohmann/json_fwd.hpp>

namespace phalanx::controlplane {

/// Puts the running configuration into the map, named as in the file: sizes in bytes, times in
/// nanoseconds, lists as NAME.0, NAME.1 ...; what is -1 or empty for "not set" as it is. Reserves
/// the names of its tables, "runtime." and "stats.".
void publish_config(map::Store& store, const config::Config& config);

/// "runtime.*": the view and its members. nullptr: there is none, the data plane is down.
void publish_view(map::Store& store, const config::Config& config, const ViewChange* change);

/// The statistics as `phalanx status` has them (`status`, `groups`: README.md), flattened: lists
/// are named by lane, node, group or client. Always the same type for one key.
[[nodiscard]] map::Statistics statistics_of(const nlohmann::json& status,
                                            const nlohmann::json& groups);

}  // namespace phalanx::controlplane
