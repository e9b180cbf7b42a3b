#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace phalanx {

/// The value with its bytes reversed on a big-endian host; itself on a little-endian one.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T little_endian(T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return value;
  T swapped = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    swapped = static_cast<T>((swapped << 8) | (value & 0xff));
    value = static_cast<T>(value >> 8);
  }
  return swapped;
}

/// The wire is little-endian whatever the host is. No alignment is asked of `at`.
template <std::unsigned_integral T>
[[nodiscard]] inline T load_le(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return little_endian(value);
}

template <std::unsigned_integral T>
inline void store_le(std::byte* at, T value) noexcept {
  value = little_endian(value);
  std::memcpy(at, &value, sizeof value);
}

/// Rounds up to a multiple of `to`, a power of two.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T round_up(T value, T to) noexcept {
  return static_cast<T>((value + to - 1) & ~(to - 1));
}

}  // namespace phalanx
