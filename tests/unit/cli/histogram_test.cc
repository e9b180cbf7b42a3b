#include "ipc/base/histogram.h"

#include <gtest/gtest.h>

namespace phalanx {
namespace {

TEST(Histogram, OfNothingIsZero) {
  const Histogram empty;
  EXPECT_EQ(empty.at(0.5), 0U);
  EXPECT_EQ(empty.total(), 0U);
}

TEST(Histogram, IsExactForSmallValues) {
  Histogram h;
  for (std::uint64_t v = 1; v <= 60; ++v) h.add(v);

  EXPECT_EQ(h.at(0.5), 31U);
  EXPECT_EQ(h.at(0), 1U);
  EXPECT_EQ(h.at(1), 60U);
}

TEST(Histogram, IsNeverWrongByMoreThanASixtyFourth) {
  for (std::uint64_t v = 1; v < (std::uint64_t{1} << 40); v = v * 3 / 2 + 1) {
    Histogram h;
    h.add(v);
    h.add(std::uint64_t{1} << 39);
    const std::uint64_t found = h.at(0);
    EXPECT_GE(found, v < (std::uint64_t{1} << 39) ? v : std::uint64_t{1} << 39);
    EXPECT_LE(found, v + v / 64) << v;
  }
}

TEST(Histogram, KeepsTheExactMaximumEvenBeyondItsRange) {
  Histogram h;
  h.add(std::uint64_t{1} << 50);
  h.add(5);

  EXPECT_EQ(h.max(), std::uint64_t{1} << 50);
  EXPECT_EQ(h.at(1), std::uint64_t{1} << 50);
}

TEST(Histogram, MergedIsAsIfAddedToOne) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (std::uint64_t v = 0; v < 10'000; v += 7) {
    (v % 2 == 0 ? a : b).add(v);
    both.add(v);
  }

  a.merge(b);

  EXPECT_EQ(a.total(), both.total());
  for (const double q : {0.1, 0.5, 0.9, 0.99, 0.999}) EXPECT_EQ(a.at(q), both.at(q));
}

}  // namespace
}  // namespace phalanx
