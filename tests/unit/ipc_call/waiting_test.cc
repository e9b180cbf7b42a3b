#include "ipc/call/waiting.h"

#include <gtest/gtest.h>

namespace phalanx::call {
namespace {

/// How long it says not to sleep yet, in all.
TimeNs spins_for(TimeNs spin_ns) {
  Spinner spinner(false, spin_ns);
  TimeNs now = 0;
  const TimeNs start = monotonic_now();
  while (spinner.turn(now)) {
  }
  return monotonic_now() - start;
}

TEST(Spinner, SleepsAfterItsTime) {
  SleepCost::of_thread() = {};
  EXPECT_GE(spins_for(kMillisecond), kMillisecond);
  EXPECT_LT(spins_for(kMillisecond), kSecond);
}

// Two sides that hold each other up by going to sleep would do so for ever.
TEST(Spinner, WaitsTwiceWhatTheLastSleepCost) {
  SleepCost::of_thread() = {.took = 10 * kMillisecond, .paid_at = monotonic_now()};
  EXPECT_GE(spins_for(kMicrosecond), 19 * kMillisecond);

  SleepCost::of_thread() = {.took = 5 * kSecond, .paid_at = monotonic_now() - 20 * kSecond};
  EXPECT_LT(spins_for(kMicrosecond), kSecond) << "that was long ago";
}

TEST(Spinner, NeverSpinsWhereItIsToldTo) {
  SleepCost::of_thread() = {.took = kSecond, .paid_at = monotonic_now()};
  Spinner spinner(false, 0);
  TimeNs now = 0;
  EXPECT_FALSE(spinner.turn(now));
  SleepCost::of_thread() = {};
}

}  // namespace
}  // namespace phalanx::call
