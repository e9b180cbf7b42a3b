#pragma once

#include "ipc/base/time_ns.h"

namespace phalanx {

/// How long to look before going to sleep. To sleep and to be woken costs 10 to 100 us of latency
/// and about as much processor time, by the host: who is woken sooner than that should have gone on
/// looking, and does so for twice as long the next time. Where several wait for one another, each
/// asleep when its turn comes, that is the difference between 200 and 70 us a message.
class Patience {
 public:
  constexpr explicit Patience(TimeNs least) noexcept : least_(least), time_(least) {}

  [[nodiscard]] TimeNs time() const noexcept { return time_; }
  /// A sleep has ended after so long, `found` something to do.
  void slept(TimeNs length, bool found) noexcept {
    if (found && length < kShort) {
      time_ = 2 * time_ < kMost ? 2 * time_ : kMost;
    } else if (length > kLong) {
      time_ = time_ / 2 > least_ ? time_ / 2 : least_;
    }
  }

  static constexpr TimeNs kShort = 200 * kMicrosecond;
  static constexpr TimeNs kLong = 2 * kMillisecond;
  static constexpr TimeNs kMost = 500 * kMicrosecond;

 private:
  TimeNs least_;
  TimeNs time_;
};

}  // namespace phalanx
