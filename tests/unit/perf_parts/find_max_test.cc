#include "perf/group/find_max.h"

#include <gtest/gtest.h>

#include <vector>

namespace phalanx::perf {
namespace {

/// A system that holds up to `limit`.
struct Limited {
  std::uint64_t limit;
  std::vector<std::uint64_t> tried;

  Expected<bool, Error> operator()(std::uint64_t rate) {
    tried.push_back(rate);
    return rate <= limit;
  }
};

TEST(FindMax, EndsWithinFivePerCentBelowTheLimit) {
  for (const std::uint64_t limit : {1'000ULL, 1'001ULL, 5'000ULL, 123'456ULL, 99'999ULL}) {
    Limited system{limit, {}};

    const auto found = find_max_rate(1'000, 100'000, std::ref(system));

    ASSERT_TRUE(found);
    EXPECT_LE(*found, limit);
    EXPECT_GE(static_cast<double>(*found),
              0.95 * static_cast<double>(std::min<std::uint64_t>(limit, 100'000)));
    EXPECT_LT(system.tried.size(), 40U);
  }
}

TEST(FindMax, TriesNothingAboveTheMost) {
  Limited system{1'000'000, {}};

  EXPECT_EQ(find_max_rate(3, 100, std::ref(system)).value(), 100U);
  for (const std::uint64_t rate : system.tried) EXPECT_LE(rate, 100U);
}

TEST(FindMax, IsZeroWhenNotEvenTheLeastHolds) {
  Limited system{9, {}};

  EXPECT_EQ(find_max_rate(10, 100, std::ref(system)).value(), 0U);
}

TEST(FindMax, ForgivesOneBadRun) {
  int runs = 0;

  const auto found = find_max_rate(
      10, 40, [&](std::uint64_t) -> Expected<bool, Error> { return ++runs % 2 == 0; });

  EXPECT_EQ(found.value(), 40U);
}

TEST(FindMax, GivesAFailureOn) {
  const auto found = find_max_rate(10, 40, [](std::uint64_t) -> Expected<bool, Error> {
    return fail(Error{.attempted = "no cluster"});
  });

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().attempted, "no cluster");
}

}  // namespace
}  // namespace phalanx::perf
