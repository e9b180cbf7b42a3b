#pragma once

#include <cstdint>

namespace phalanx::call {

/// Makes sure that a child of fork() forgets what is its parent's. False: no memory.
[[nodiscard]] bool watch_forks() noexcept;

/// Differs from what it was where something was made: this is a child of that process.
[[nodiscard]] std::uint32_t fork_count() noexcept;

}  // namespace phalanx::call
