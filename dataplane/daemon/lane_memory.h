#pragma once

#include "config/config.h"
#include "dataplane/core/core.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/transport.h"

namespace phalanx::dataplane {

/// What the core is to be made with: the configuration's sizes, and windows that fit the
/// transport's receive ring. An error names the keys that do not go together.
[[nodiscard]] Expected<core::CoreConfig, Error> core_config(
    const config::Config& config, const BootId& boot, const transport::TransportLimits& limits);

}  // namespace phalanx::dataplane
