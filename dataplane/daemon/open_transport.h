#pragma once

#include <cstddef>
#include <memory>

#include "config/config.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/transport.h"

namespace phalanx::dataplane {

/// Opens what transport.kind names, for one worker. A kind that this build lacks is an error like
/// any other.
[[nodiscard]] Expected<std::unique_ptr<transport::Transport>, Error> open_transport(
    const config::Config& config, std::size_t worker);

}  // namespace phalanx::dataplane
