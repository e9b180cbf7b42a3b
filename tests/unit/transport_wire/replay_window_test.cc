#include "transport/wire/replay_window.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace phalanx::wire {
namespace {

TEST(ReplayWindow, TakesEachCounterOnce) {
  ReplayWindow window;
  for (std::uint64_t counter = 1; counter < 10'000; ++counter) {
    EXPECT_TRUE(window.may_take(counter));
    window.mark(counter);
    EXPECT_FALSE(window.may_take(counter));
  }
}

TEST(ReplayWindow, NeverTakesZero) { EXPECT_FALSE(ReplayWindow().may_take(0)); }

TEST(ReplayWindow, TakesLateCountersWithinTheWindowOnly) {
  ReplayWindow window;
  window.mark(10'000);

  EXPECT_TRUE(window.may_take(10'000 - ReplayWindow::kCounters + 1));
  EXPECT_FALSE(window.may_take(10'000 - ReplayWindow::kCounters));
}

TEST(ReplayWindow, IsNotMovedByAskingIt) {
  ReplayWindow window;

  EXPECT_TRUE(window.may_take(~std::uint64_t{0}));

  EXPECT_TRUE(window.may_take(1));
}

TEST(ReplayWindow, GoesUpToTheLastCounter) {
  ReplayWindow window;
  window.mark(~std::uint64_t{0});

  EXPECT_FALSE(window.may_take(~std::uint64_t{0}));
  EXPECT_TRUE(window.may_take(~std::uint64_t{0} - 1));
  EXPECT_FALSE(window.may_take(5));
}

// Against a plain set, with jumps of every size: small, across words, across the whole window.
TEST(ReplayWindow, AgreesWithAListOfAllThatWasTaken) {
  std::mt19937_64 random(7);
  for (const std::uint64_t jump : {3, 70, 700, 5000, 20'000}) {
    ReplayWindow window;
    std::set<std::uint64_t> taken;
    std::uint64_t top = 0;
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t reach = top + random() % jump;
      const std::uint64_t back = random() % 4500;
      const std::uint64_t counter = random() % 2 == 0 || reach <= back ? reach : reach - back;
      const bool fresh = counter != 0 && taken.count(counter) == 0 &&
                         (counter > top || top - counter < ReplayWindow::kCounters);

      ASSERT_EQ(window.may_take(counter), fresh) << counter << " top " << top;

      if (!fresh) continue;
      window.mark(counter);
      taken.insert(counter);
      top = std::max(top, counter);
    }
  }
}

}  // namespace
}  // namespace phalanx::wire
