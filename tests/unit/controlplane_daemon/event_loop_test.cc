#include "controlplane/daemon/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <optional>

namespace phalanx::controlplane {
namespace {

Fd ready_fd() { return Fd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

TEST(EventLoop, RunsTheHandlerOfAReadyDescriptor) {
  EventLoop loop;
  const Fd fd = ready_fd();
  int calls = 0;
  const Watch watch(loop, fd.get(), EPOLLIN, [&](std::uint32_t) { ++calls; });

  EXPECT_TRUE(loop.run_once(0));

  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, LetsAHandlerDestroyItsOwnWatchAndOthers) {
  EventLoop loop;
  const Fd first_fd = ready_fd();
  const Fd second_fd = ready_fd();
  std::optional<Watch> first;
  std::optional<Watch> second;
  int calls = 0;
  const auto drop_all = [&](std::uint32_t) {
    ++calls;
    first.reset();
    second.reset();
  };
  first.emplace(loop, first_fd.get(), EPOLLIN, drop_all);
  second.emplace(loop, second_fd.get(), EPOLLIN, drop_all);

  (void)loop.run_once(0);
  (void)loop.run_once(0);

  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, TakesTurnsAmongDescriptorsThatAreAlwaysReady) {
  EventLoop loop;
  const Fd first_fd = ready_fd();
  const Fd second_fd = ready_fd();
  int first_calls = 0;
  int second_calls = 0;
  const Watch first(loop, first_fd.get(), EPOLLIN, [&](std::uint32_t) { ++first_calls; });
  const Watch second(loop, second_fd.get(), EPOLLIN, [&](std::uint32_t) { ++second_calls; });

  for (int i = 0; i < 100; ++i) (void)loop.run_once(0);

  EXPECT_EQ(first_calls, 50);
  EXPECT_EQ(second_calls, 50);
}

TEST(Timer, FiresOnceForATimeInThePast) {
  EventLoop loop;
  int calls = 0;
  Timer timer(loop, [&] { ++calls; });
  timer.arm(0);

  EXPECT_TRUE(loop.run_once(kNever));
  EXPECT_FALSE(loop.run_once(0));

  EXPECT_EQ(calls, 1);
}

TEST(Timer, DoesNotFireOnceDisarmed) {
  EventLoop loop;
  int calls = 0;
  Timer timer(loop, [&] { ++calls; });
  timer.arm(0);
  timer.disarm();

  EXPECT_FALSE(loop.run_once(0));

  EXPECT_EQ(calls, 0);
}

TEST(SignalWatch, HandsABlockedSignalToTheLoop) {
  EventLoop loop;
  int seen = 0;
  const SignalWatch watch(loop, {SIGUSR1}, [&](int signal) { seen = signal; });

  ASSERT_EQ(raise(SIGUSR1), 0);
  EXPECT_TRUE(loop.run_once(0));

  EXPECT_EQ(seen, SIGUSR1);
}

}  // namespace
}  // namespace phalanx::controlplane
