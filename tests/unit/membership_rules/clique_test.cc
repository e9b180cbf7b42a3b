#include "controlplane/membership/clique.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace phalanx::membership {
namespace {

HearsMatrix links(std::initializer_list<std::pair<std::size_t, std::size_t>> pairs) {
  HearsMatrix matrix;
  for (const auto& [a, b] : pairs) {
    matrix.hears[a] |= only(b);
    matrix.hears[b] |= only(a);
  }
  return matrix;
}

TEST(Clique, NodesThatAllHearOneAnotherStayTogether) {
  const HearsMatrix matrix = links({{0, 1}, {1, 2}, {0, 2}});

  EXPECT_EQ(cliques(matrix, 0b111, 0), std::vector<NodeSet>{0b111});
}

TEST(Clique, HearingInOneDirectionIsNoLink) {
  HearsMatrix matrix = links({{0, 1}});
  matrix.hears[0] |= only(2);

  EXPECT_EQ(clique_of(2, matrix, 0b111, 0), NodeSet{0b100});
}

TEST(Clique, PeelsTheNodeWithTheFewestLinksFirst) {
  // 0 hears only 1; 1, 2 and 3 hear one another.
  const HearsMatrix matrix = links({{0, 1}, {1, 2}, {1, 3}, {2, 3}});

  EXPECT_EQ(cliques(matrix, 0b1111, 0), (std::vector<NodeSet>{0b1110, 0b0001}));
}

TEST(Clique, OfEqualsPeelsWhoIsOutsideTheCurrentViewFirst) {
  const HearsMatrix matrix = links({{0, 1}, {1, 2}});  // A chain: 0 and 2 are equals.

  EXPECT_EQ(clique_of(1, matrix, 0b111, /*current_view=*/0b110), NodeSet{0b110});
}

TEST(Clique, OfEqualsInTheCurrentViewPeelsTheHighestId) {
  const HearsMatrix matrix = links({{0, 1}, {1, 2}});

  EXPECT_EQ(clique_of(1, matrix, 0b111, /*current_view=*/0b111), NodeSet{0b011});
}

TEST(Clique, GoesOnAmongThePeeled) {
  const HearsMatrix matrix = links({{0, 1}, {2, 3}});

  EXPECT_EQ(cliques(matrix, 0b1111, 0), (std::vector<NodeSet>{0b0011, 0b1100}));
}

// One matrix, one answer: whoever asks gets the part of one and the same split that it is in.
TEST(Clique, SplitsAnyMatrixIntoDisjointCliquesThatCoverAll) {
  std::uint64_t dice = 1;
  for (int k = 0; k < 2000; ++k) {
    HearsMatrix matrix;
    for (std::size_t i = 0; i < 9; ++i) {
      dice = dice * 6364136223846793005u + 1442695040888963407u;
      matrix.hears[i] = (dice >> 33 | dice >> 20) & 0x1ff & ~only(i);
    }
    const NodeSet view = dice >> 40 & 0x1ff;
    NodeSet covered = 0;
    for (const NodeSet set : cliques(matrix, 0x1ff, view)) {
      EXPECT_EQ(covered & set, 0u);
      covered |= set;
      for (NodeSet a = set; a != 0; a &= a - 1) {
        EXPECT_EQ(clique_of(lowest(a), matrix, 0x1ff, view), set);
        for (NodeSet b = set & ~only(lowest(a)); b != 0; b &= b - 1) {
          EXPECT_TRUE(matrix.linked(lowest(a), lowest(b)));
        }
      }
    }
    EXPECT_EQ(covered, 0x1ffu);
  }
}

}  // namespace
}  // namespace phalanx::membership
