#pragma once

#include "config/config.h"
#include "dataplane/core/core.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/transport.h"

namespace phalanx::dataplane {

/// What a worker's core is to be made with: its share of the lanes, the configuration's sizes, and
/// windows that fit the receive ring of its transport. An error names the keys that do not go
/// together.
[[nodiscard]] Expected<core::CoreConfig, Error> core_config(
    const config::Config& config, const BootId& boot, const transport::TransportLimits& limits,
    std::size_t worker = 0);

}  // namespace phalanx::dataplane
