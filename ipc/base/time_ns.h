#pragma once

#include <cstdint>

namespace phalanx {

/// Nanoseconds of a monotonic clock (CLOCK_MONOTONIC, or the simulator's). Only differences mean
/// anything across processes of one host; nothing does across hosts.
using TimeNs = std::uint64_t;

inline constexpr TimeNs kNever = ~TimeNs{0};
inline constexpr TimeNs kMicrosecond = 1'000;
inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;

/// CLOCK_MONOTONIC now. A vDSO call, some 20 ns; never from a sans-I/O core.
[[nodiscard]] TimeNs monotonic_now() noexcept;

}  // namespace phalanx
