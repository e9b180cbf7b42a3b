#pragma once

#include <algorithm>

#include "ipc/base/time_ns.h"

namespace phalanx::transport::verbs {

/// When something that breaks again and again is mended: at once the first time, then after twice
/// as long each time; what held for a second is forgiven. One thread.
class BackOff {
 public:
  static constexpr TimeNs kFirst = kMillisecond;
  static constexpr TimeNs kMost = kSecond;

  [[nodiscard]] bool is_due(TimeNs now) const noexcept { return now >= due_; }

  /// It is mended now, or was tried to be.
  void tried(TimeNs now) noexcept {
    const bool held = pause_ == 0 || now - due_ > kSecond;
    pause_ = held ? kFirst : std::min(2 * pause_, kMost);
    due_ = now + pause_;
  }

 private:
  TimeNs pause_ = 0;  ///< 0: it never broke.
  TimeNs due_ = 0;
};

}  // namespace phalanx::transport::verbs
