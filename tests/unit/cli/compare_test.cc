#include "controlplane/cli/demo/compare.h"

#include <gtest/gtest.h>

#include <vector>

namespace phalanx::cli {
namespace {

/// A client's sequence, built as the client does it.
struct Delivered {
  OrderHash order;
  std::vector<Checkpoint> checkpoints;

  Delivered& messages(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) order.add(i * 0x9e3779b97f4a7c15 + 1);
    return *this;
  }
  Delivered& point(Checkpoint::Kind kind, std::uint64_t first, std::uint64_t second) {
    order.add(first * 31 + second);
    checkpoints.push_back({.kind = kind, .first = first, .second = second, .order = order});
    return *this;
  }
  Delivered& view(std::uint64_t sequence) { return point(Checkpoint::Kind::View, sequence, 1); }
  Delivered& join(std::uint64_t node, std::uint64_t client) {
    return point(Checkpoint::Kind::Join, node, client);
  }
  [[nodiscard]] Sequence sequence() const { return {order, checkpoints}; }
};

TEST(Compare, StartsWhereBothHaveBeen) {
  const auto early = Delivered().view(1).join(1, 1).join(2, 1).messages(0, 50);
  const auto late = Delivered().join(2, 1).messages(0, 50);

  const Comparison result = compare(early.sequence(), late.sequence());

  EXPECT_TRUE(result.agree) << result.why;
  EXPECT_TRUE(result.from_the_start);
  EXPECT_EQ(result.items, 50U);
}

TEST(Compare, TellsAMissingMessageAndASwap) {
  const auto whole = Delivered().view(1).messages(0, 50);
  const auto short_one = Delivered().view(1).messages(0, 49);
  const auto swapped = Delivered().view(1).messages(0, 48).messages(49, 50).messages(48, 49);

  EXPECT_EQ(compare(whole.sequence(), short_one.sequence()).why, "50 events against 49");
  EXPECT_FALSE(compare(whole.sequence(), swapped.sequence()).agree);
}

// A view at another place among the messages is another sequence, even with all the messages.
TEST(Compare, TellsAViewAtAnotherPlace) {
  const auto a = Delivered().view(1).messages(0, 10).view(2).messages(10, 20);
  const auto b = Delivered().view(1).messages(0, 11).view(2).messages(11, 20);

  EXPECT_FALSE(compare(a.sequence(), b.sequence()).agree);
}

TEST(Compare, TakesTheEndOfAClientThatCameBack) {
  const auto survivor = Delivered()
                            .view(1)
                            .join(3, 1)
                            .messages(0, 50)
                            .view(2)
                            .messages(50, 60)
                            .view(3)
                            .join(3, 7)
                            .messages(60, 99);
  // It lost its data plane in the middle, and with it messages, a view and its membership.
  auto again = Delivered().view(1).join(3, 1).messages(0, 40);
  const std::size_t from = again.checkpoints.size();
  again.join(3, 7).messages(60, 99);

  EXPECT_FALSE(compare(survivor.sequence(), again.sequence()).agree);
  const Comparison result = compare(survivor.sequence(), again.sequence(), from);
  EXPECT_TRUE(result.agree) << result.why;
  EXPECT_EQ(result.items, 39U);
}

// It joined while alone; the others saw that join only once the views had merged.
TEST(Compare, StartsAtTheMergeWhenAClientJoinedInAViewOfItsOwn) {
  const auto survivor = Delivered().join(1, 1).messages(0, 50).view(3).join(3, 7).messages(60, 99);
  const auto again = Delivered().join(3, 7).messages(200, 210).view(3).join(3, 7).messages(60, 99);

  const Comparison result = compare(survivor.sequence(), again.sequence());

  EXPECT_TRUE(result.agree) << result.why;
  EXPECT_FALSE(result.from_the_start);
  EXPECT_EQ(result.items, 40U);
}

// A data plane that restarts counts its clients from 1 again.
TEST(Compare, TellsTwoJoinsOfOneNameApart) {
  const auto survivor =
      Delivered().join(3, 1).messages(0, 50).view(2).messages(50, 60).view(3).join(3, 1).messages(
          60, 99);
  auto again = Delivered().join(3, 1).messages(0, 40);
  const std::size_t from = again.checkpoints.size();
  again.join(3, 1).messages(60, 99);

  const Comparison late = compare(survivor.sequence(), again.sequence(), from);
  EXPECT_TRUE(late.agree) << late.why;
  EXPECT_EQ(late.items, 39U);
  const Comparison whole = compare(survivor.sequence(), survivor.sequence());
  EXPECT_EQ(whole.items, 102U) << "all but the first join";
}

TEST(Compare, NeedsAPointThatBothKnow) {
  const auto a = Delivered().view(1).messages(0, 5);
  const auto b = Delivered().view(2).messages(0, 5);

  EXPECT_EQ(compare(a.sequence(), b.sequence()).why, "no view or join that both have seen");
}

}  // namespace
}  // namespace phalanx::cli
