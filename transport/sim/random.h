#pragma once

#include <cstdint>

namespace phalanx::transport {

/// Mixes a 64-bit value so that neighbouring seeds give unrelated streams (splitmix64's last step).
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// xoshiro256**, seeded by splitmix64. Its own arithmetic only: a seed means the same history with
/// every compiler and library, which the standard's distributions do not promise.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept {
    for (auto& word : state_) word = mix64(seed += 0x9E3779B97F4A7C15ull);
  }

  constexpr std::uint64_t next() noexcept {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound); 0 when bound is 0. The bias of the multiplication is below 2^-32.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  /// Uniform in [low, high], both included.
  constexpr std::uint64_t range(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }

  /// True with a probability in parts per million. Costs nothing when it is 0.
  constexpr bool chance_ppm(std::uint32_t ppm) noexcept {
    return ppm != 0 && below(1'000'000) < ppm;
  }
  constexpr bool percent(std::uint32_t share) noexcept { return chance_ppm(share * 10'000); }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr std::uint64_t rotl(std::uint64_t x, int k) noexcept {
    return (x << k) | (x >> (64 - k));
  }

  std::uint64_t state_[4]{};
};

}  // namespace phalanx::transport
