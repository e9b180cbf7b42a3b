#include "transport/links/link_choice.h"

#include <gtest/gtest.h>

#include <array>

namespace phalanx::transport {
namespace {

constexpr LinkSet kNone = 0;
constexpr LinkSet kFirst = 1;
constexpr LinkSet kOther = 2;
constexpr TimeNs kSilent = 25 * kMillisecond;
constexpr std::array<NodeId, 3> kMembers{1, 2, 3};

/// Node 1's choice, with a clock that begins late enough for silence.
struct LinkChoiceTest : ::testing::Test {
  void SetUp() override {
    choice.set_members(kMembers, now);
    all_heard();
  }

  /// Both peers are heard over `over`, and say `hears`.
  void hear(LinkSet over, LinkSet hears = kAllLinks) {
    for (const NodeId node : {NodeId{2}, NodeId{3}}) hear_one(node, over, hears);
  }
  void hear_one(NodeId node, LinkSet over, LinkSet hears = kAllLinks) {
    for (std::size_t link = 0; link < kLinksMax; ++link) {
      if ((over >> link & 1U) != 0) choice.heard(node, link, hears, now);
    }
  }
  void all_heard() { hear(kAllLinks); }
  void pass(TimeNs time) { now += time; }
  LinkSet choose() { return choice.choose(now); }

  LinkChoice choice{{.self = 1, .silent_after = kSilent}};
  TimeNs now = 10'000 * kMillisecond;
};

TEST_F(LinkChoiceTest, TheFirstIsTakenWhileItCarries) {
  EXPECT_EQ(choose(), kFirst);
  EXPECT_EQ(choice.hears(), kAllLinks);
}

TEST_F(LinkChoiceTest, AMemberThatIsSilentOnOneLinkOnlyMovesAllToTheOther) {
  pass(kSilent);
  hear_one(2, kAllLinks);
  hear_one(3, kOther);
  EXPECT_EQ(choose(), kFirst) << "not silent long enough";
  pass(1);
  hear_one(3, kOther);

  EXPECT_EQ(choice.hears(), kOther);
  EXPECT_EQ(choose(), kOther);
}

// The way there is broken, the way back is not: only the other end can tell.
TEST_F(LinkChoiceTest, AMemberThatSaysItDoesNotHearMovesAllToTheOther) {
  hear_one(3, kAllLinks, kOther);

  EXPECT_EQ(choice.hears(), kAllLinks);
  EXPECT_EQ(choose(), kOther);
}

TEST_F(LinkChoiceTest, WhoIsSilentEverywhereSaysNothingOfALink) {
  pass(10 * kSilent);
  hear_one(2, kAllLinks);

  EXPECT_EQ(choice.hears(), kAllLinks);
  EXPECT_EQ(choose(), kFirst);
}

TEST_F(LinkChoiceTest, WhereNeitherCarriesBothAreTaken) {
  hear_one(2, kAllLinks, kOther);
  hear_one(3, kAllLinks, kFirst);
  EXPECT_EQ(choose(), kAllLinks);

  hear(kAllLinks, kNone);
  EXPECT_EQ(choose(), kAllLinks);
}

TEST_F(LinkChoiceTest, TheFirstMustCarryForAWhileBeforeItIsTakenAgain) {
  pass(kSilent + 1);
  hear(kOther, kOther);
  ASSERT_EQ(choose(), kOther);

  all_heard();
  for (TimeNs passed = 0; passed < 999 * kMillisecond; passed += 9 * kMillisecond) {
    ASSERT_EQ(choose(), kOther) << passed;
    pass(9 * kMillisecond);
    all_heard();
  }
  pass(10 * kMillisecond);
  all_heard();
  EXPECT_EQ(choose(), kFirst);
}

TEST_F(LinkChoiceTest, AFlapBeginsTheWaitAnew) {
  hear(kAllLinks, kOther);
  ASSERT_EQ(choose(), kOther);
  all_heard();
  ASSERT_EQ(choose(), kOther);
  pass(900 * kMillisecond);
  hear(kAllLinks, kOther);
  ASSERT_EQ(choose(), kOther);
  pass(1 * kMillisecond);
  all_heard();
  ASSERT_EQ(choose(), kOther);
  pass(900 * kMillisecond);
  all_heard();

  EXPECT_EQ(choose(), kOther);
}

TEST_F(LinkChoiceTest, NothingIsWaitedForWhereOnlyTheFirstCarries) {
  hear(kAllLinks, kOther);
  ASSERT_EQ(choose(), kOther);
  hear(kAllLinks, kFirst);

  EXPECT_EQ(choose(), kFirst);
}

TEST_F(LinkChoiceTest, BothMeansBoth) {
  LinkChoice both{{.self = 1, .use = LinkChoice::Use::Both, .silent_after = kSilent}};
  both.set_members(kMembers, now);
  EXPECT_EQ(both.choose(now), kAllLinks);
  both.heard(2, 0, kFirst, now);

  EXPECT_EQ(both.choose(now), kAllLinks);
}

TEST_F(LinkChoiceTest, OnlyMembersCount) {
  hear_one(9, kOther, kOther);
  pass(2 * kSilent);
  hear_one(9, kOther, kOther);
  all_heard();
  EXPECT_EQ(choose(), kFirst);

  constexpr std::array<NodeId, 2> kFewer{1, 2};
  hear_one(3, kOther, kOther);
  choice.set_members(kFewer, now);
  EXPECT_EQ(choose(), kFirst);
}

// Hellos go over both links, and only the copy that comes first is believed.
TEST_F(LinkChoiceTest, ANewMemberHasTimeToBeHeardOverBoth) {
  constexpr std::array<NodeId, 4> kMore{1, 2, 3, 9};
  hear_one(9, kOther);
  pass(10 * kSilent);
  choice.set_members(kMore, now);
  all_heard();
  hear_one(9, kOther);
  EXPECT_EQ(choose(), kFirst);

  pass(kSilent + 1);
  all_heard();
  hear_one(9, kOther);
  EXPECT_EQ(choice.hears(), kOther);
}

TEST_F(LinkChoiceTest, AViewChangeForgetsNothingOfWhoStays) {
  pass(kSilent + 1);
  hear(kOther);
  choice.set_members(kMembers, now);

  EXPECT_EQ(choice.hears(), kOther);
}

TEST_F(LinkChoiceTest, MoreStrangersThanThereCanBeNodesChangeNothing) {
  for (NodeId node = 1000; node < 1000 + 4 * kNodesMax; ++node) hear_one(node, kOther, kOther);

  all_heard();
  EXPECT_EQ(choose(), kFirst);
}

}  // namespace
}  // namespace phalanx::transport
