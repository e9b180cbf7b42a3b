#include "ipc/call/gatherer.h"

#include <gtest/gtest.h>

namespace phalanx::call {
namespace {

/// A reader whose sender is told how long it was not looked at, and says how much it sent.
class Stream {
 public:
  template <class Sent>
  void looks(int count, Sent sent) {
    for (int i = 0; i < count; ++i) {
      const TimeNs until = gatherer.next_look(now_, longest);
      const TimeNs from = now_;
      if (until > now_) now_ = until;
      now_ += kTurn;
      gatherer.took(sent(now_ - from));
    }
  }
  Gatherer gatherer;
  TimeNs longest = Gatherer::kLongest;

 private:
  static constexpr TimeNs kTurn = 50;  ///< A look, and what it found.
  TimeNs now_ = kSecond;
};

std::size_t one_each_20_ns(TimeNs passed) { return static_cast<std::size_t>(passed / 20); }

TEST(Gatherer, LetsAStreamGatherForAsLongAsItMay) {
  Stream stream;
  stream.looks(100, one_each_20_ns);
  EXPECT_GT(stream.gatherer.moment(), Gatherer::kLongest / 2);
  EXPECT_LE(stream.gatherer.moment(), Gatherer::kLongest);
}

TEST(Gatherer, GathersBrieflyWhereCallsMayWaitBehind) {
  Stream stream;
  stream.looks(100, one_each_20_ns);
  stream.longest = Gatherer::kBrief;
  stream.looks(200, one_each_20_ns);
  EXPECT_LE(stream.gatherer.moment(), Gatherer::kBrief);
  EXPECT_GT(stream.gatherer.moment(), 0);
}

// Four at a time, and 300 ns after the last was taken the next four: to wait longer loses rate.
TEST(Gatherer, DoesNotMakeASenderWaitThatWaitsForIt) {
  Stream stream;
  TimeNs since = 0;
  std::uint64_t all = 0;
  TimeNs time = 0;
  stream.looks(400, [&](TimeNs passed) -> std::size_t {
    since += passed;
    time += passed;
    if (since < 300) return 1;  // Never nothing, which would end it.
    since = 0;
    all += 4;
    return 4;
  });
  EXPECT_LE(stream.gatherer.moment(), Gatherer::kLongest / 4);
  EXPECT_GT(all * 1000 / static_cast<std::uint64_t>(time), 1U) << "a us";
}

TEST(Gatherer, TheTimeOfSlowHandlersCounts) {
  Gatherer gatherer;
  TimeNs now = kSecond;
  for (int i = 0; i < 100; ++i) {
    gatherer.took(1);
    now += 20 * kMicrosecond;
    EXPECT_LE(gatherer.next_look(now, Gatherer::kLongest), now + 80);
  }
}

TEST(Gatherer, ALookThatFindsNothingEndsIt) {
  Gatherer gatherer;
  for (int i = 0; i < 100; ++i) {
    gatherer.took(1);
    gatherer.before_look();
  }
  EXPECT_GT(gatherer.moment(), 80);
  gatherer.before_look();
  EXPECT_EQ(gatherer.moment(), 0);
  gatherer.took(1);
  gatherer.before_look();
  EXPECT_EQ(gatherer.moment(), 80);
  gatherer.took(1);
  gatherer.look_at_once();
  EXPECT_EQ(gatherer.moment(), 0);
}

}  // namespace
}  // namespace phalanx::call
