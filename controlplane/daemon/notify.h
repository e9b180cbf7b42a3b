#pragma once

#include <string_view>

namespace phalanx::controlplane {

/// Tells the service manager that started us, if any, lines of sd_notify(3): "READY=1\nSTATUS=view
/// 3". Does nothing without $NOTIFY_SOCKET; never blocks, never fails.
void notify(std::string_view lines) noexcept;

/// How many descriptors a socket unit passed (they start at 3); 0 when none were meant for us.
/// Clears the variables, so that children do not take them for theirs.
[[nodiscard]] int listen_fds() noexcept;

inline constexpr int kListenFdFirst = 3;

}  // namespace phalanx::controlplane
