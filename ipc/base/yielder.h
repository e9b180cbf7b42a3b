#pragma once

#include <cstdint>

namespace phalanx {

/// A moment between two looks at memory that another core is going to write: who looks without one
/// keeps the line from its writer. A line went to the other core and back in 574 ns without, in 445
/// with one pause of 42 cycles, in 341 to 360 with two, 367 with four, 473 with eight.
inline void rest_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
  __builtin_ia32_pause();
#else
  asm volatile("" ::: "memory");
#endif
}

/// Between two looks for work: lets others run where there are others. A yield is a system call,
/// 0.3 to 1.3 us during which nothing is looked at. A thread that was never switched away from
/// between two checks has its core for itself, and yields once in so many looks until that
/// changes; else at every look, as who is waited for may be on the same core.
///
/// For one thread. A check is one getrusage(), after 8 yields at first, and after up to 64 where
/// others were met.
class Yielder {
 public:
  /// Some 2 us of them, if there is not much to a look.
  static constexpr std::uint32_t kLooksAlone = 64;
  constexpr explicit Yielder(std::uint32_t looks_alone = kLooksAlone) noexcept
      : looks_alone_(looks_alone) {}

  /// The calling thread's: what it knows holds for all that it waits for.
  [[nodiscard]] static Yielder& of_thread() noexcept;

  /// True: it was a yield, and so some time has passed.
  bool pass() noexcept {
    if (looks_left_ == 0) return yield();
    --looks_left_;
    rest_processor();
    return false;
  }

  /// How often this thread was switched away from, as of now.
  void check(std::uint64_t switches) noexcept {
    alone_ = switches == switches_;
    switches_ = switches;
    interval_ = alone_ ? kIntervalMin : interval_ < kIntervalMax ? 2 * interval_ : kIntervalMax;
    until_check_ = interval_;
  }
  [[nodiscard]] bool is_alone() const noexcept { return alone_; }

  static constexpr std::uint32_t kIntervalMin = 8;
  static constexpr std::uint32_t kIntervalMax = 64;

 private:
  bool yield() noexcept;

  std::uint32_t looks_alone_;
  bool alone_ = false;
  std::uint32_t looks_left_ = 0;
  std::uint32_t interval_ = kIntervalMin;
  std::uint32_t until_check_ = kIntervalMin;  ///< Yields.
  std::uint64_t switches_ = 0;
};

}  // namespace phalanx
