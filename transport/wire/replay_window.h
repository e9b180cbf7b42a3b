#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace phalanx::wire {

/// Which of the last 4096 counters of one (key, nonce space) were taken. Counters begin at 1.
/// may_take() only reads, so that a forger moves nothing; mark() follows once the tag compared.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kCounters = 4096;

  [[nodiscard]] bool may_take(std::uint64_t counter) const noexcept {
    if (counter > top_) return true;
    if (counter == 0 || top_ - counter >= kCounters) return false;
    return (word(counter) & bit(counter)) == 0;
  }

  void mark(std::uint64_t counter) noexcept {
    if (counter > top_) advance(counter);
    words_[index(counter)] |= bit(counter);
  }

 private:
  // One word more than the window needs: the word that is cleared next never holds live counters.
  static constexpr std::size_t kWords = kCounters / 64 + 1;

  static std::size_t index(std::uint64_t counter) noexcept { return (counter / 64) % kWords; }
  static std::uint64_t bit(std::uint64_t counter) noexcept {
    return std::uint64_t{1} << (counter % 64);
  }
  [[nodiscard]] std::uint64_t word(std::uint64_t counter) const noexcept {
    return words_[index(counter)];
  }

  void advance(std::uint64_t counter) noexcept {
    const std::uint64_t steps = counter / 64 - top_ / 64;
    if (steps >= kWords) {
      words_.fill(0);
    } else {
      for (std::uint64_t i = 1; i <= steps; ++i) words_[(top_ / 64 + i) % kWords] = 0;
    }
    top_ = counter;
  }

  std::uint64_t top_ = 0;
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace phalanx::wire
