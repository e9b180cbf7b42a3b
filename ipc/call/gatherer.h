#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/base/time_ns.h"
#include "ipc/base/yielder.h"

namespace phalanx::call {

/// Who looks at a ring's index after each message takes its cache line away from the sender each
/// time. The reader of a stream lets ever more gather: while look after look finds some, the time
/// from one look to the next doubles, as long as no less comes in all (a sender that waits for what
/// comes of its messages sends less then: one step back). A look that finds nothing ends that, so
/// that who sends one message and waits never meets it. (Two cores, one post a call: 20 M/s with a
/// fixed moment of 0.6 us, 36 M/s so.)
class Gatherer {
 public:
  static constexpr TimeNs kLongest = 10'240;
  static constexpr TimeNs kBrief = 640;  ///< Where calls of others may wait behind it.

  void took(std::size_t count) noexcept { taken_ += count; }
  /// All that the last look found was taken. Waits until it is time for the next.
  void before_look(TimeNs longest = kLongest) noexcept {
    if (taken_ == 0) return look_at_once();
    const TimeNs until = next_look(monotonic_now(), longest);
    while (monotonic_now() < until) {
      for (int i = 0; i < 4; ++i) rest_processor();
    }
  }
  /// Somebody waits for what comes of a message, or there is none.
  void look_at_once() noexcept { *this = {}; }

  /// When to look, having taken something at `now`.
  [[nodiscard]] TimeNs next_look(TimeNs now, TimeNs longest) noexcept {
    if (looked_ == 0) {
      moment_ = kShortest;
      looked_ = now;
    } else if (moment_ < kSure && 2 * moment_ <= longest) {
      moment_ = 2 * moment_;
    } else {
      stage_taken_ += taken_;
      if (++stage_looks_ == kLooksAStage) end_stage(now - stage_start_, longest);
    }
    if (stage_looks_ == 0) stage_start_ = now;
    taken_ = 0;
    const TimeNs until = looked_ + moment_;
    looked_ = until > now ? until : now;
    return until;
  }
  [[nodiscard]] TimeNs moment() const noexcept { return moment_; }

 private:
  static constexpr TimeNs kShortest = 80;
  /// So far it grows at each look: for shorter ones some looks of a stream find nothing.
  static constexpr TimeNs kSure = 1280;
  static constexpr std::uint32_t kLooksAStage = 8;
  static constexpr std::uint32_t kStagesHeld = 4;

  void end_stage(TimeNs took, TimeNs longest) noexcept {
    const std::uint64_t rate =
        stage_taken_ * kSecond / static_cast<std::uint64_t>(took > 0 ? took : 1);
    const bool slower = grown_ && rate < rate_before_ / 8 * 5;
    grown_ = false;
    if (slower || moment_ > longest) {
      moment_ = moment_ / 2;
      held_ = kStagesHeld;
    } else if (held_ > 0) {
      --held_;
    } else if (2 * moment_ <= longest) {
      rate_before_ = rate;
      moment_ = 2 * moment_;
      grown_ = true;
    }
    stage_taken_ = 0;
    stage_looks_ = 0;
  }

  std::size_t taken_ = 0;  ///< Since the last look.
  TimeNs looked_ = 0;      ///< When the last look was, or is to be; 0: no stream.
  TimeNs moment_ = 0;      ///< From one look to the next.
  // So many looks are compared with as many of another moment.
  std::uint64_t stage_taken_ = 0;
  TimeNs stage_start_ = 0;
  std::uint32_t stage_looks_ = 0;
  std::uint64_t rate_before_ = 0;  ///< Messages a second, before it grew.
  std::uint32_t held_ = 0;         ///< Stages during which it does not grow.
  bool grown_ = false;
};

}  // namespace phalanx::call
