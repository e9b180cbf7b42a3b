#pragma once

#include <cstddef>

namespace phalanx::wire {

/// Memory for secrets: in no core dump, not swapped out where the limit on locked memory allows,
/// and between guard pages. Zeroed; aligned for 64 bytes where it has as many. Cold: it takes a
/// lock. Once the region is full (thousands of keys) it is ordinary memory, in dumps as the rest
/// is.
[[nodiscard]] void* allocate_secret(std::size_t bytes);
/// Wipes it, too. nullptr: nothing.
void free_secret(void* memory, std::size_t bytes) noexcept;

}  // namespace phalanx::wire
