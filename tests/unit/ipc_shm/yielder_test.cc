#include "ipc/base/yielder.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace phalanx {
namespace {

TEST(Yielder, IsAloneWhenNobodyTookTheCoreBetweenTwoChecks) {
  Yielder yielder;
  yielder.check(3);
  EXPECT_FALSE(yielder.is_alone()) << "there was nothing to compare with";
  yielder.check(3);
  EXPECT_TRUE(yielder.is_alone());
  yielder.check(4);
  EXPECT_FALSE(yielder.is_alone());
}

TEST(Yielder, YieldsOnceInSoManyLooksWhenAlone) {
  Yielder yielder(5);
  yielder.check(0);
  ASSERT_TRUE(yielder.is_alone());

  EXPECT_TRUE(yielder.pass());
  for (int look = 0; look < 5; ++look) EXPECT_FALSE(yielder.pass()) << look;
  EXPECT_TRUE(yielder.pass());
}

TEST(Yielder, YieldsAtEveryLookBesideAnother) {
  Yielder yielder;
  yielder.check(1);
  for (std::uint32_t look = 1; look < Yielder::kIntervalMin; ++look) EXPECT_TRUE(yielder.pass());
}

void stay_on_this_core() {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &here);
  ASSERT_EQ(sched_setaffinity(0, sizeof here, &here), 0);
}

TEST(Yielder, MeetsAThreadThatWantsTheSameCore) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  stay_on_this_core();
  std::atomic<bool> stop{false};
  std::thread other([&] {  // On the same core: it is inherited.
    while (!stop.load()) sched_yield();
  });
  Yielder yielder;
  int alone = 0;
  for (int yields = 0; yields < 2000;) {
    if (yielder.pass()) ++yields;
    if (yielder.is_alone()) ++alone;
  }
  stop = true;
  other.join();
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_LT(alone, 1000);
  EXPECT_FALSE(yielder.is_alone());
}

}  // namespace
}  // namespace phalanx
