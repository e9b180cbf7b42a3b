#include "ipc/call/waiting.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "ipc/base/fd.h"

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

struct SleepOnSocket : testing::Test {
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
    ASSERT_TRUE(let_reads_sleep(ours.get()));
  }
  /// A byte, so long after a sleeper began that reading gave up. Returns how long it slept.
  TimeNs sleep_until_a_late_byte(bool may_read) {
    const TimeNs begun = monotonic_now();
    std::thread waker([&] {
      std::this_thread::sleep_for(std::chrono::nanoseconds(3 * kReadSleeps));
      send_wake(theirs.get());
    });
    // It may return early; this one is to come back for the byte alone.
    EXPECT_TRUE(sleep_and_drain(ours.get(), kNever, may_read));
    const TimeNs slept = monotonic_now() - begun;
    waker.join();
    char byte = 0;
    EXPECT_EQ(recv(ours.get(), &byte, 1, MSG_DONTWAIT), -1) << "it was taken";
    return slept;
  }
  Fd ours, theirs;
};

TEST_F(SleepOnSocket, ForLongerThanAReadDoes) {
  EXPECT_GE(sleep_until_a_late_byte(true), 3 * kReadSleeps);
}

TEST_F(SleepOnSocket, WithoutReadingWhereNobodyIsTrusted) {
  const timeval never{};  // As a server may set it that has the same socket.
  ASSERT_EQ(setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never), 0);
  const TimeNs begun = monotonic_now();
  EXPECT_TRUE(sleep_and_drain(ours.get(), begun + 4 * kReadSleeps, false)) << "nobody hung up";
  EXPECT_GE(monotonic_now() - begun, 4 * kReadSleeps);
  EXPECT_GE(sleep_until_a_late_byte(false), 3 * kReadSleeps);
}

TEST_F(SleepOnSocket, ThatSomebodyMadeOneThatNeverWaits) {
  ASSERT_EQ(fcntl(ours.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_GE(sleep_until_a_late_byte(true), 3 * kReadSleeps);
}

TEST_F(SleepOnSocket, UntilADeadlineOrAHangUp) {
  for (const TimeNs sleep : {TimeNs{20 * kMillisecond}, 4 * kReadSleeps}) {
    const TimeNs begun = monotonic_now();
    EXPECT_TRUE(sleep_and_drain(ours.get(), begun + sleep));
    EXPECT_GE(monotonic_now() - begun, sleep);
  }
  theirs.reset();
  EXPECT_FALSE(sleep_and_drain(ours.get(), kNever));
  EXPECT_FALSE(sleep_and_drain(ours.get(), kNever, false));
}

}  // namespace
}  // namespace phalanx::call
