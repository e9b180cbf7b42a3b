#include "ipc/base/patience.h"

#include <gtest/gtest.h>

namespace phalanx {
namespace {

constexpr TimeNs kLeast = 50 * kMicrosecond;

TEST(Patience, GrowsWhileSleepsAreTooShort) {
  Patience patience(kLeast);
  EXPECT_EQ(patience.time(), kLeast);
  patience.slept(20 * kMicrosecond, true);
  EXPECT_EQ(patience.time(), 2 * kLeast);
  for (int i = 0; i < 10; ++i) patience.slept(20 * kMicrosecond, true);
  EXPECT_EQ(patience.time(), Patience::kMost);
}

TEST(Patience, ShrinksWhenItWasInVain) {
  Patience patience(kLeast);
  for (int i = 0; i < 10; ++i) patience.slept(20 * kMicrosecond, true);
  patience.slept(10 * kMillisecond, false);
  EXPECT_EQ(patience.time(), Patience::kMost / 2);
  for (int i = 0; i < 10; ++i) patience.slept(10 * kMillisecond, true);
  EXPECT_EQ(patience.time(), kLeast);
}

// Messages that come a millisecond apart are worth a sleep each; who wakes for nothing learns
// nothing.
TEST(Patience, StaysAsItIsBetween) {
  Patience patience(kLeast);
  for (int i = 0; i < 10; ++i) patience.slept(kMillisecond, true);
  EXPECT_EQ(patience.time(), kLeast);
  for (int i = 0; i < 10; ++i) patience.slept(20 * kMicrosecond, false);
  EXPECT_EQ(patience.time(), kLeast);
}

}  // namespace
}  // namespace phalanx
