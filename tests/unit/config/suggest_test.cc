#include "config/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace phalanx::config {
namespace {

TEST(EditDistance, CountsASwapOfNeighboursOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("window", "window"), 0U);
  EXPECT_EQ(edit_distance("widnow", "window"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Closest, PrefersTheNearestAndGuessesNothingWhenAllAreFar) {
  const std::vector<std::string> words = {"ring", "max", "slow_policy"};
  EXPECT_EQ(closest("rings", words), "ring");
  EXPECT_EQ(closest("slow_polcy", words), "slow_policy");
  EXPECT_EQ(closest("frobnicate", words), "");
  EXPECT_EQ(closest("xyz", words), "");
}

TEST(Closest, IgnoresWordsThatNobodyTyped) {
  EXPECT_EQ(closest(std::string(100'000, 'r'), std::vector<std::string>{"ring"}), "");
}

}  // namespace
}  // namespace phalanx::config
