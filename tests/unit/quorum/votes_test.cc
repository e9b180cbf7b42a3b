#include <gtest/gtest.h>

#include "tests/unit/quorum/cluster.h"

namespace phalanx::quorum {
namespace {

using testing::Cluster;
using testing::equal_votes;

TEST(Votes, NoViewIsNotQuorate) {
  Cluster cluster(equal_votes(3));

  EXPECT_FALSE(cluster[1].outcome().quorate);
  EXPECT_EQ(cluster[1].outcome().reason, Reason::NoView);
}

TEST(Votes, AMajorityIsQuorateAndTheRestIsNot) {
  Cluster cluster(equal_votes(5));

  const Outcome three = cluster.install({1, 2, 3});
  const Outcome two = cluster.install({4, 5});

  EXPECT_EQ(three, (Outcome{.quorate = true,
                            .reason = Reason::Majority,
                            .expected = 5,
                            .highest_expected = 5,
                            .total = 3,
                            .needed = 3,
                            .present = 7,
                            .counted = 7}));
  EXPECT_EQ(two.reason, Reason::TooFewVotes);
  EXPECT_FALSE(two.quorate);
}

TEST(Votes, HalfIsNoMajority) {
  Cluster cluster(equal_votes(4));

  EXPECT_FALSE(cluster.quorate({1, 2}));
  EXPECT_TRUE(cluster.quorate({1, 2, 4}));
}

TEST(Votes, ANodeCountsForAsManyVotesAsItIsConfiguredWith) {
  QuorumConfig config = equal_votes(3);
  config.nodes[0].votes = 3;
  config.nodes[2].votes = 0;
  Cluster cluster(config);

  EXPECT_TRUE(cluster.quorate({1}));
  EXPECT_FALSE(cluster.quorate({2, 3}));
}

TEST(Votes, WithoutAPolicyEveryViewIsQuorate) {
  QuorumConfig config = equal_votes(3);
  config.enabled = false;
  Cluster cluster(config);

  const Outcome outcome = cluster.install({2});

  EXPECT_TRUE(outcome.quorate);
  EXPECT_EQ(outcome.reason, Reason::Off);
}

TEST(Votes, MoreExpectedVotesThanThereAreNeedAHigherMajority) {
  QuorumConfig config = equal_votes(3);
  config.expected_votes = 5;
  Cluster cluster(config);

  EXPECT_FALSE(cluster.quorate({1, 2}));
  EXPECT_TRUE(cluster.quorate({1, 2, 3}));
}

TEST(Votes, APlanThatNamesUnknownNodesCountsThemForNothing) {
  Cluster cluster(equal_votes(3));
  wire::Plan plan = cluster.plan({1});
  plan.members.push_back(testing::member(9));
  plan.ballots.push_back({.device_votes = 9});

  EXPECT_FALSE(decide(equal_votes(3), plan.members, plan.ballots).quorate);
}

TEST(TwoNode, OneVoteOfTwoIsEnough) {
  QuorumConfig config = equal_votes(2);
  config.two_node = config.wait_for_all = true;
  Cluster cluster(config);
  ASSERT_TRUE(cluster.quorate({1, 2}));

  const Outcome alone = cluster.install({2});

  EXPECT_TRUE(alone.quorate);
  EXPECT_EQ(alone.reason, Reason::TwoNode);
  EXPECT_EQ(alone.needed, 1u);
}

TEST(TwoNode, ANodeThatStartsAloneWaitsForTheOther) {
  QuorumConfig config = equal_votes(2);
  config.two_node = config.wait_for_all = true;
  Cluster cluster(config);

  EXPECT_EQ(cluster.install({1}).reason, Reason::WaitsForAll);
  EXPECT_FALSE(cluster.quorate({2}));
}

TEST(TieBreaker, HalfOfTheVotesIsQuorateWithTheNodeThatBreaksTies) {
  for (const auto& [tie_breaker, winner] :
       {std::pair{TieBreaker::Lowest, NodeId{1}}, std::pair{TieBreaker::Highest, NodeId{4}},
        std::pair{TieBreaker::List, NodeId{2}}}) {
    QuorumConfig config = equal_votes(4);
    config.tie_breaker = tie_breaker;
    config.tie_breaker_nodes = {2, 3};
    Cluster cluster(config);

    const NodeId partner = winner == 2 ? 4 : 3;
    std::vector<NodeId> with{std::min(winner, partner), std::max(winner, partner)};
    std::vector<NodeId> without;
    for (NodeId node = 1; node <= 4; ++node)
      if (node != with[0] && node != with[1]) without.push_back(node);

    EXPECT_EQ(cluster.install(with).reason, Reason::TieBreaker) << winner;
    EXPECT_EQ(cluster.install(without).reason, Reason::LostTie) << winner;
  }
}

// A second node of the list would decide on its side while the first decides on the other.
TEST(TieBreaker, ASecondNodeOfTheListDecidesNothingWhileTheFirstHasAVote) {
  QuorumConfig config = equal_votes(4);
  config.tie_breaker = TieBreaker::List;
  config.tie_breaker_nodes = {2, 3};
  Cluster cluster(config);

  EXPECT_FALSE(cluster.quorate({3, 4}));
}

TEST(TieBreaker, LessThanHalfIsNeverQuorate) {
  QuorumConfig config = equal_votes(5);
  config.tie_breaker = TieBreaker::Lowest;
  Cluster cluster(config);

  EXPECT_FALSE(cluster.quorate({1, 2}));
}

TEST(Device, GivesItsVotesToTheSideThatItIsCastFor) {
  QuorumConfig config = equal_votes(2);
  config.device_votes = 1;
  Cluster cluster(config);
  cluster[1].on_device({.alive = true, .casts = true});
  cluster[2].on_device({.alive = true, .casts = false});

  EXPECT_EQ(cluster.install({1}).total, 2u);
  EXPECT_TRUE(cluster[1].outcome().quorate);
  EXPECT_FALSE(cluster.quorate({2}));
}

TEST(Device, ThatIsDeadGivesNothing) {
  QuorumConfig config = equal_votes(4);
  config.device_votes = 1;
  Cluster cluster(config);
  cluster[1].on_device({.alive = false, .casts = true});

  EXPECT_FALSE(cluster.quorate({1, 2}));
  EXPECT_TRUE(cluster.quorate({1, 2, 3}));
}

TEST(Device, CountsOnceHoweverManyMembersItVotesFor) {
  QuorumConfig config = equal_votes(6);
  config.device_votes = 1;
  Cluster cluster(config);
  for (const NodeId node : {1u, 2u}) cluster[node].on_device({.alive = true, .casts = true});

  EXPECT_EQ(cluster.install({1, 2}).total, 3u);
}

}  // namespace
}  // namespace phalanx::quorum
