#pragma once

namespace phalanx::cli {

/// From here on SIGINT, SIGTERM and SIGHUP only set a flag, so that a command ends in order.
void catch_stop_signals() noexcept;

[[nodiscard]] bool stop_requested() noexcept;

}  // namespace phalanx::cli
