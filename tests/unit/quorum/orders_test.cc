// Votes that are changed at run time: agreed with a view, remembered, and never able to split.
#include <gtest/gtest.h>

#include "tests/unit/quorum/cluster.h"

namespace phalanx::quorum {
namespace {

using testing::Cluster;
using testing::equal_votes;
using Kind = wire::Order::Kind;

wire::Order votes(std::uint8_t index, std::uint32_t number) {
  return {.kind = Kind::Votes, .index = index, .number = number};
}
wire::Order expected(std::uint32_t number) {
  return {.kind = Kind::Expected, .index = 0, .number = number};
}
wire::Order end_wait(bool others_are_down = false) {
  return {.kind = Kind::EndWait, .index = 0, .number = others_are_down ? 1U : 0U};
}

TEST(Orders, HoldFromTheNextViewOnForAllItsMembers) {
  Cluster cluster(equal_votes(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));

  ASSERT_EQ(cluster[2].propose(votes(4, 0)).verdict, Verdict::Carried);
  EXPECT_EQ(cluster[2].votes(5), 1u);
  const Outcome outcome = cluster.install({1, 2, 3, 4, 5});

  EXPECT_EQ(outcome.total, 4u);
  EXPECT_EQ(outcome.needed, 3u);
  for (NodeId node = 1; node <= 5; ++node) {
    EXPECT_EQ(cluster[node].votes(5), 0u) << node;
    EXPECT_EQ(cluster[node].amendment(), cluster[1].amendment()) << node;
  }
  EXPECT_EQ(cluster[2].take_ruling()->verdict, Verdict::Carried);
  EXPECT_FALSE(cluster[2].take_ruling());
  EXPECT_FALSE(cluster[2].proposes());
  EXPECT_FALSE(cluster.quorate({3, 4, 5}));
  EXPECT_TRUE(cluster.quorate({2, 3, 4}));
}

TEST(Orders, AreKnownToWhoComesBack) {
  Cluster cluster(equal_votes(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_EQ(cluster[1].propose(expected(7)).verdict, Verdict::Carried);
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4}));

  cluster.restart(3);
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));

  EXPECT_EQ(cluster[5].outcome().needed, 4u);
  EXPECT_FALSE(cluster.quorate({3, 4, 5}));
}

TEST(Orders, AreForgottenWhenAllRestart) {
  Cluster cluster(equal_votes(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_EQ(cluster[1].propose(expected(4)).verdict, Verdict::Carried);
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_FALSE(cluster.quorate({1, 2}));

  for (const NodeId node : {1u, 2u, 3u}) cluster.restart(node);

  EXPECT_TRUE(cluster.quorate({1, 2}));
}

TEST(Orders, OfTheLowestMemberGoFirstAndTheOthersWait) {
  Cluster cluster(equal_votes(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_EQ(cluster[2].propose(votes(0, 0)).verdict, Verdict::Carried);
  ASSERT_EQ(cluster[3].propose(expected(6)).verdict, Verdict::Carried);

  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));

  EXPECT_TRUE(cluster[2].take_ruling());
  EXPECT_FALSE(cluster[3].take_ruling());
  EXPECT_TRUE(cluster[3].proposes());
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  EXPECT_EQ(cluster[3].take_ruling()->verdict, Verdict::Carried);
  EXPECT_EQ(cluster[1].amendment().expected, 6u);
  EXPECT_EQ(cluster[1].votes(1), 0u);
}

TEST(Orders, AreRuledOnByTheViewThatTakesThem) {
  Cluster cluster(equal_votes(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_EQ(cluster[1].propose(votes(1, 0)).verdict, Verdict::Carried);

  EXPECT_FALSE(cluster.quorate({1}));

  EXPECT_EQ(cluster[1].take_ruling()->verdict, Verdict::NotQuorate);
  EXPECT_TRUE(cluster[1].amendment().votes.empty());
}

TEST(Orders, WithdrawnAreInNoBallot) {
  Cluster cluster(equal_votes(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_EQ(cluster[1].propose(expected(4)).verdict, Verdict::Carried);

  cluster[1].withdraw();
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));

  EXPECT_EQ(cluster[1].amendment(), wire::Amendment{});
}

TEST(Orders, ThatCouldSplitAreRefusedWithTheSplit) {
  Cluster cluster(equal_votes(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));

  const Ruling heavy = cluster[1].propose(votes(1, 4));
  EXPECT_EQ(heavy.verdict, Verdict::Splits);
  EXPECT_EQ(heavy.split, NodeSet{0b00011}) << "2 and one more are two of five nodes";

  const Ruling few = cluster[1].propose(expected(2));
  EXPECT_EQ(few.verdict, Verdict::Splits);
  EXPECT_EQ(__builtin_popcountll(few.split), 2);

  EXPECT_FALSE(cluster[1].proposes());
}

// Whoever made it so: a forged or stale ballot is no way around the refusal.
TEST(Orders, NeverMakeAMinorityOfTheConfiguredVotesQuorate) {
  Cluster cluster(equal_votes(3));
  wire::Plan plan = cluster.plan({1});
  plan.ballots[0].amendment = {.revision = 9, .expected = 1, .votes = {1000, 0, 0}};

  EXPECT_FALSE(decide(equal_votes(3), plan.members, plan.ballots).quorate);
}

TEST(Orders, MayNotTakeQuorumFromTheViewThatTakesThem) {
  Cluster cluster(equal_votes(3));
  ASSERT_TRUE(cluster.quorate({1, 2}));

  EXPECT_EQ(cluster[1].propose(expected(4)).verdict, Verdict::EndsQuorum);
  EXPECT_EQ(cluster[1].propose(votes(0, 0)).verdict, Verdict::EndsQuorum);
  EXPECT_EQ(cluster[3].propose(votes(0, 0)).verdict, Verdict::NotQuorate);
}

TEST(Orders, GiveATieToWhoBreaksTies) {
  QuorumConfig config = equal_votes(4);
  config.tie_breaker = TieBreaker::Lowest;
  Cluster cluster(config);
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4}));

  // What is there already may be ordered; a tie for the other half may not.
  EXPECT_EQ(cluster[1].propose(expected(4)).verdict, Verdict::Carried);
  cluster[1].withdraw();
  const Ruling other_half = cluster[1].propose(votes(3, 2));
  EXPECT_EQ(other_half.verdict, Verdict::Splits);
  EXPECT_EQ(other_half.split & 1, 0u);
}

TEST(Orders, OutOfRangeOrOfNobodyAreRefused) {
  Cluster cluster(equal_votes(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));

  EXPECT_EQ(cluster[1].propose(votes(3, 1)).verdict, Verdict::UnknownNode);
  EXPECT_EQ(cluster[1].propose(votes(0, kVotesMax + 1)).verdict, Verdict::OutOfRange);
  EXPECT_EQ(cluster[1].propose(expected(0)).verdict, Verdict::OutOfRange);
  EXPECT_EQ(cluster[1].propose(expected(kExpectedMax + 1)).verdict, Verdict::OutOfRange);
  EXPECT_EQ(cluster[1].propose(end_wait()).verdict, Verdict::NobodyWaits);
}

TEST(Orders, AreNotForClustersThatDoNotCountThem) {
  QuorumConfig two = equal_votes(2);
  two.two_node = two.wait_for_all = true;
  QuorumConfig last = equal_votes(3);
  last.last_man_standing = last.wait_for_all = true;
  QuorumConfig off = equal_votes(3);
  off.enabled = false;

  EXPECT_EQ(Cluster(two)[1].propose(expected(2)).verdict, Verdict::TwoNode);
  EXPECT_EQ(Cluster(last)[1].propose(expected(2)).verdict, Verdict::LastManStanding);
  EXPECT_EQ(Cluster(off)[1].propose(expected(2)).verdict, Verdict::PolicyOff);
}

TEST(EndWait, MakesAMajorityThatWaitsQuorate) {
  QuorumConfig config = equal_votes(3);
  config.wait_for_all = true;
  Cluster cluster(config);
  ASSERT_EQ(cluster.install({1, 2}).reason, Reason::WaitsForAll);

  ASSERT_EQ(cluster[2].propose(end_wait()).verdict, Verdict::Carried);
  EXPECT_TRUE(cluster.quorate({1, 2}));

  EXPECT_FALSE(cluster[1].forgotten());
  EXPECT_EQ(cluster[2].take_ruling()->verdict, Verdict::Carried);
  // The other one still waits, until it is seen.
  EXPECT_FALSE(cluster.quorate({3}));
  EXPECT_TRUE(cluster.quorate({1, 3}));
}

TEST(EndWait, IsNoHelpToAMinority) {
  QuorumConfig config = equal_votes(3);
  config.wait_for_all = true;
  Cluster cluster(config);
  ASSERT_FALSE(cluster.quorate({1}));

  EXPECT_EQ(cluster[1].propose(end_wait()).verdict, Verdict::TooFewVotes);
}

// The other of two may be quorate: only who has seen to it that it is down may say so.
TEST(EndWait, OfTwoNodesNeedsTheWordThatTheOtherIsDown) {
  QuorumConfig config = equal_votes(2);
  config.two_node = config.wait_for_all = true;
  Cluster cluster(config);
  ASSERT_FALSE(cluster.quorate({1}));

  EXPECT_EQ(cluster[1].propose(end_wait()).verdict, Verdict::NeedsWord);
  ASSERT_EQ(cluster[1].propose(end_wait(/*others_are_down=*/true)).verdict, Verdict::Carried);

  EXPECT_TRUE(cluster.quorate({1}));
}

TEST(Orders, SurviveARestartOfTheControlPlane) {
  Cluster cluster(equal_votes(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_EQ(cluster[1].propose(expected(4)).verdict, Verdict::Carried);
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  const std::vector<std::byte> snapshot = cluster[1].snapshot();

  cluster.restart(1);
  ASSERT_TRUE(cluster[1].restore(snapshot));

  EXPECT_EQ(cluster[1].amendment(), cluster[2].amendment());
}

}  // namespace
}  // namespace phalanx::quorum
