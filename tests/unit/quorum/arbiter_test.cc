#include "controlplane/quorum/arbiter.h"

#include <gtest/gtest.h>

#include "controlplane/quorum/device.h"

namespace phalanx::quorum {
namespace {

constexpr NodeSet kOne = 1;
constexpr NodeSet kTwo = 2;
constexpr NodeSet kBoth = 3;
constexpr std::uint32_t kEpoch = 7;

wire::DeviceWord word(std::uint64_t sequence, NodeSet nodes, bool installed = false) {
  return {
      .nodes = nodes, .sequence = sequence, .representative = 1, .epoch = kEpoch, .yes = installed};
}

/// Of two nodes that have been seen together.
Arbiter begun() {
  Arbiter arbiter(kBoth, kEpoch);
  for (const std::size_t node : {0UL, 1UL}) (void)arbiter.on_ask(node, word(5, kBoth, true));
  return arbiter;
}

TEST(Arbiter, GivesNothingToAPartBeforeAllHaveInstalledAView) {
  Arbiter arbiter(kBoth, kEpoch);
  EXPECT_FALSE(arbiter.on_ask(0, word(1, kOne)).word.yes);
  EXPECT_TRUE(arbiter.on_ask(0, word(2, kBoth, true)).word.yes);
  EXPECT_FALSE(arbiter.on_ask(0, word(3, kOne)).word.yes);
  EXPECT_TRUE(arbiter.forgotten());
  EXPECT_TRUE(arbiter.on_ask(1, word(2, kBoth, true)).word.yes);
  EXPECT_FALSE(arbiter.forgotten());
}

TEST(Arbiter, OfTwoHalvesTheFirstGetsIt) {
  Arbiter arbiter = begun();
  EXPECT_TRUE(arbiter.on_ask(1, word(6, kTwo)).word.yes);
  EXPECT_FALSE(arbiter.on_ask(0, word(7, kOne)).word.yes);
  EXPECT_FALSE(arbiter.on_ask(0, word(8, kOne)).word.yes);
}

TEST(Arbiter, TheOtherHalfMayHaveItOnceBothAreTogetherAgain) {
  Arbiter arbiter = begun();
  ASSERT_TRUE(arbiter.on_ask(1, word(6, kTwo, true)).word.yes);
  ASSERT_TRUE(arbiter.on_ask(0, word(8, kBoth)).word.yes);
  // Node 2 may be in the old view still.
  (void)arbiter.on_ask(0, word(8, kBoth, true));
  EXPECT_FALSE(arbiter.on_ask(0, word(9, kOne)).word.yes);
  (void)arbiter.on_ask(1, word(8, kBoth, true));
  EXPECT_TRUE(arbiter.on_ask(0, word(9, kOne)).word.yes);
}

TEST(Arbiter, AnOldViewThatIsSaidToBeInstalledEndsNoLaterGrant) {
  Arbiter arbiter = begun();
  ASSERT_TRUE(arbiter.on_ask(1, word(9, kTwo)).word.yes);
  for (const std::size_t node : {0UL, 1UL}) (void)arbiter.on_ask(node, word(8, kBoth, true));
  EXPECT_FALSE(arbiter.on_ask(0, word(10, kOne)).word.yes);
}

// {1 2} of sequence 10 gives way to {1} of 4; that stands for both.
TEST(Arbiter, AGrantThatTookThePlaceOfALaterOneLastsAsLong) {
  constexpr NodeSet kThree = 7;
  Arbiter arbiter(kThree, kEpoch);
  for (const std::size_t node : {0UL, 1UL, 2UL}) (void)arbiter.on_ask(node, word(1, kThree, true));
  ASSERT_TRUE(arbiter.on_ask(0, word(10, kBoth)).word.yes);
  ASSERT_TRUE(arbiter.on_ask(0, word(4, kOne)).word.yes);
  for (const std::size_t node : {0UL, 2UL}) (void)arbiter.on_ask(node, word(5, 5, true));
  EXPECT_FALSE(arbiter.on_ask(2, word(11, 4)).word.yes);
}

TEST(Arbiter, WhatWasSaidToAnotherRunCountsForNothing) {
  Arbiter arbiter(kBoth, kEpoch + 1);
  for (const std::size_t node : {0UL, 1UL}) {
    const auto answer = arbiter.on_ask(node, word(5, kBoth, true));
    EXPECT_FALSE(answer.word.yes);
    EXPECT_FALSE(answer.changed);
    EXPECT_EQ(answer.word.epoch, kEpoch + 1);
  }
  EXPECT_TRUE(arbiter.forgotten());
}

TEST(Arbiter, OnlyMembersAskAndOnlyForConfiguredNodes) {
  Arbiter arbiter = begun();
  EXPECT_FALSE(arbiter.on_ask(0, word(6, kTwo)).word.yes);
  EXPECT_FALSE(arbiter.on_ask(0, word(6, 5)).word.yes);
  EXPECT_FALSE(arbiter.on_ask(99, word(6, kBoth)).word.yes);
  EXPECT_FALSE(arbiter.on_ask(0, word(5, kOne)).word.yes) << "one view of two sets";
}

TEST(Arbiter, GoesOnFromItsText) {
  Arbiter arbiter = begun();
  ASSERT_TRUE(arbiter.on_ask(1, word(6, kTwo)).changed);
  Arbiter next(kBoth, kEpoch);
  ASSERT_TRUE(next.restore(arbiter.text()));
  EXPECT_EQ(next.grants(), arbiter.grants());
  EXPECT_FALSE(next.forgotten());
  EXPECT_FALSE(next.on_ask(0, word(7, kOne)).word.yes);
}

TEST(Arbiter, RefusesTextThatIsNotWholeOrNotOfItsNodes) {
  const std::string text = begun().text();
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    Arbiter arbiter(kBoth, kEpoch);
    EXPECT_FALSE(arbiter.restore(text.substr(0, bytes))) << bytes;
    EXPECT_TRUE(arbiter.forgotten());
  }
  Arbiter other(7, kEpoch);
  EXPECT_FALSE(other.restore(text));
}

TEST(DeviceLink, AsksAgainWhenAnotherRunAnswers) {
  Arbiter arbiter = begun();
  DeviceLink link;
  const ViewId view{6, 1, {}};
  const auto first = arbiter.on_ask(0, link.ask(view, kOne, false)).word;
  ASSERT_EQ(link.on_answer(first), DeviceLink::Heard::AskAgain);
  const auto second = arbiter.on_ask(0, *link.again()).word;
  EXPECT_EQ(link.on_answer(second), DeviceLink::Heard::Yes);
  EXPECT_EQ(link.on_answer(second), DeviceLink::Heard::Nothing) << "repeated";
}

TEST(DeviceLink, TakesNoAnswerToAnotherAttempt) {
  DeviceLink link;
  auto answer = link.ask({6, 1, {}}, kOne, false);
  answer.yes = true;
  (void)link.ask({7, 1, {}}, kOne, false);
  EXPECT_EQ(link.on_answer(answer), DeviceLink::Heard::Nothing);
}

}  // namespace
}  // namespace phalanx::quorum
