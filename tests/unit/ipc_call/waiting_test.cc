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
  const TimeNs paid_at = monotonic_now();
  SleepCost::of_thread() = {.took = 10 * kMillisecond, .paid_at = paid_at};
  (void)spins_for(kMicrosecond);
  EXPECT_GE(monotonic_now() - paid_at, 20 * kMillisecond);

  SleepCost::of_thread() = {.took = 5 * kSecond, .paid_at = monotonic_now() - 20 * kSecond};
  EXPECT_LT(spins_for(kMicrosecond), kSecond) << "that was long ago";
}

TEST(Spinner, TakesNoStandstillForTheCostOfSleep) {
  fence_before_sleep(true);
  EXPECT_LE(SleepCost::of_thread().took, SleepCost::kMost);
  EXPECT_GT(SleepCost::of_thread().paid_at, 0);
  SleepCost::of_thread() = {};
}

TEST(Spinner, ALookAtTheSocketIsDueOnceAMillisecond) {
  Spinner spinner(true, 0);
  EXPECT_FALSE(spinner.is_look_due(kSecond)) << "it just began to wait";
  EXPECT_FALSE(spinner.is_look_due(kSecond + kMillisecond - 1));
  EXPECT_TRUE(spinner.is_look_due(kSecond + kMillisecond));
  EXPECT_FALSE(spinner.is_look_due(kSecond + kMillisecond + 1));
}

TEST(Spinner, DoesNotSpinWithoutTimeFor) {
  SleepCost::of_thread() = {.took = kSecond, .paid_at = monotonic_now()};
  Spinner spinner(false, 0);
  TimeNs now = 0;
  EXPECT_FALSE(spinner.turn(now));
  SleepCost::of_thread() = {};
}

}  // namespace
}  // namespace phalanx::call
