#pragma once

#include "config/config.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/transport.h"

namespace phalanx::dataplane {

/// Opens what transport.kind names, for each worker. A kind that this build lacks is an error like
/// any other.
[[nodiscard]] Expected<transport::Transports, Error> open_transports(const config::Config& config);

}  // namespace phalanx::dataplane
