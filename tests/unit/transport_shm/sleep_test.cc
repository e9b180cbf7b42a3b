#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "tests/unit/transport_shm/nodes.h"

namespace phalanx::transport::shm {
namespace {

constexpr Destination kEveryone{.kind = Destination::Kind::Everyone};

bool is_readable(int fd, int timeout_ms = 0) {
  pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&polled, 1, timeout_ms) == 1;
}

class ShmSleep : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(turn_until([this] {
      (void)receive(*one_);
      (void)receive(*two_);
      return one_->ports().up == 1 && two_->ports().up == 1;
    }));
    for (Transport* node : {one_.get(), two_.get()}) {  // The last words about links.
      ASSERT_TRUE(turn_until([node] {
        (void)node->arm_wait();
        (void)receive(*node);
        return !is_readable(node->wait_fd(), 10);
      }));
    }
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Transport> one_ = open_node(directory_.path(), 1, 2);
  std::unique_ptr<Transport> two_ = open_node(directory_.path(), 2, 2);
};

TEST_F(ShmSleep, AFrameWakesWhoSleeps) {
  ASSERT_TRUE(two_->arm_wait());
  EXPECT_FALSE(is_readable(two_->wait_fd()));

  send(*one_, {frame_of(1, 64)}, kEveryone);

  EXPECT_TRUE(is_readable(two_->wait_fd(), 1000));
  EXPECT_EQ(receive(*two_).size(), 1u);
  EXPECT_FALSE(is_readable(two_->wait_fd()));
}

TEST_F(ShmSleep, AFrameThatCanWaitWakesNobodyAndIsThere) {
  ASSERT_TRUE(two_->arm_wait());
  send(*one_, {frame_of(1, 64)}, kEveryone, true);
  EXPECT_FALSE(is_readable(two_->wait_fd(), 20));

  send(*one_, {frame_of(2, 64)}, kEveryone);
  EXPECT_TRUE(is_readable(two_->wait_fd(), 1000));
  EXPECT_EQ(receive(*two_).size(), 2u);

  send(*one_, {frame_of(3, 64)}, kEveryone, true);
  EXPECT_FALSE(two_->arm_wait()) << "who is about to sleep sees it";
}

TEST_F(ShmSleep, NobodyIsWokenWhoDoesNotSleep) {
  send(*one_, {frame_of(1, 64)}, kEveryone);

  EXPECT_FALSE(is_readable(two_->wait_fd()));
  EXPECT_EQ(receive(*two_).size(), 1u);
}

TEST_F(ShmSleep, WhoHasFramesDoesNotSleep) {
  send(*one_, {frame_of(1, 64)}, kEveryone);

  EXPECT_FALSE(two_->arm_wait());

  EXPECT_EQ(receive(*two_).size(), 1u);
  EXPECT_TRUE(two_->arm_wait());
}

// However much is sent meanwhile, one word a sleep: the sleeper takes it in one turn.
TEST_F(ShmSleep, ASleepIsEndedOnce) {
  for (int sleep = 0; sleep < 100; ++sleep) {
    ASSERT_TRUE(two_->arm_wait());
    for (int i = 0; i < 20; ++i) send(*one_, {frame_of(1, 64)}, kEveryone);
    ASSERT_TRUE(is_readable(two_->wait_fd(), 1000)) << sleep;
    EXPECT_EQ(receive(*two_).size(), 20u);
    EXPECT_FALSE(is_readable(two_->wait_fd()));
  }
}

// The flag and the frame are written and looked at crosswise: one of the two sides sees the other.
// (A look that is left out shows at once, a fence only on some processors, after many rounds.)
TEST_F(ShmSleep, NoWakeIsLostBetweenALookAndASleep) {
  constexpr int kRounds = 20'000;
  std::atomic<int> taken{0};
  std::thread sender([&] {
    for (int round = 0; round < kRounds; ++round) {
      send(*one_, {frame_of(1, 64)}, kEveryone);
      while (taken.load(std::memory_order_acquire) <= round) sched_yield();
    }
  });
  int lost = 0;
  for (int got = 0; got < kRounds;) {
    const auto frames = receive(*two_);
    got += static_cast<int>(frames.size());
    taken.store(got, std::memory_order_release);
    if (frames.empty() && two_->arm_wait() && !is_readable(two_->wait_fd(), 1000)) ++lost;
  }
  sender.join();
  EXPECT_EQ(lost, 0);
}

TEST_F(ShmSleep, TheEndOfAPeerWakesAndIsSeen) {
  ASSERT_TRUE(one_->arm_wait());

  two_.reset();

  EXPECT_TRUE(is_readable(one_->wait_fd(), 1000));
  ASSERT_TRUE(turn_until([this] {
    (void)receive(*one_);
    return one_->ports().up == 0;
  }));
  // Asleep again, it stays so.
  ASSERT_TRUE(turn_until([this] { return one_->arm_wait() && !is_readable(one_->wait_fd(), 20); }));
}

}  // namespace
}  // namespace phalanx::transport::shm
