// Rules that need to know what was before: wait for all, last man standing, snapshots.
#include <gtest/gtest.h>

#include "tests/unit/quorum/cluster.h"

namespace phalanx::quorum {
namespace {

using testing::Cluster;
using testing::equal_votes;

QuorumConfig waits_for_all(NodeId nodes) {
  QuorumConfig config = equal_votes(nodes);
  config.wait_for_all = true;
  return config;
}

QuorumConfig last_man_standing(NodeId nodes, TieBreaker tie_breaker = TieBreaker::Off) {
  QuorumConfig config = waits_for_all(nodes);
  config.last_man_standing = true;
  config.last_man_standing_window = 10 * kSecond;
  config.tie_breaker = tie_breaker;
  return config;
}

TEST(WaitForAll, ThereIsNoFirstQuorumBeforeAllWereSeenTogether) {
  Cluster cluster(waits_for_all(3));

  EXPECT_EQ(cluster.install({1, 2}).reason, Reason::WaitsForAll);
  EXPECT_TRUE(cluster.quorate({1, 2, 3}));
  EXPECT_TRUE(cluster.quorate({1, 2}));
}

TEST(WaitForAll, ANodeThatRestartsJoinsAQuorateClusterWithoutWaiting) {
  Cluster cluster(waits_for_all(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_TRUE(cluster.quorate({1, 2}));

  cluster.restart(2);

  EXPECT_TRUE(cluster.quorate({1, 2}));
  EXPECT_FALSE(cluster[2].forgotten());
}

TEST(WaitForAll, NodesThatAllRestartedWaitAgain) {
  Cluster cluster(waits_for_all(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));

  for (const NodeId node : {1u, 2u, 3u}) cluster.restart(node);

  EXPECT_FALSE(cluster.quorate({1, 2}));
}

TEST(WaitForAll, ARestartedControlPlaneRemembers) {
  Cluster cluster(waits_for_all(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  const std::vector<std::byte> snapshot = cluster[1].snapshot();
  cluster.restart(2);
  cluster.restart(1);

  ASSERT_TRUE(cluster[1].restore(snapshot));

  EXPECT_TRUE(cluster[1].outcome().quorate);
  EXPECT_TRUE(cluster.quorate({1, 2}));
}

TEST(LastManStanding, TheMajorityIsThatOfAQuorateViewThatLasted) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));

  cluster.wait(10 * kSecond);

  const Outcome two = cluster.install({1, 2});
  EXPECT_TRUE(two.quorate);
  EXPECT_EQ(two.expected, 3u);
  EXPECT_EQ(two.needed, 2u);
}

TEST(LastManStanding, AViewThatDidNotLastChangesNothing) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));

  cluster.wait(9 * kSecond);

  EXPECT_FALSE(cluster.quorate({1, 2}));
}

// Counting votes alone would make three of five quorate, while the other two are as well.
TEST(LastManStanding, OnlyNodesOfTheElectorateCount) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  cluster.wait(10 * kSecond);

  EXPECT_TRUE(cluster.quorate({1, 2}));
  EXPECT_FALSE(cluster.quorate({3, 4, 5}));
}

// Others may have installed the view and settled: this node cannot know.
TEST(LastManStanding, AViewThatOthersMayHaveInstalledCountsToo) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  const wire::Plan plan = cluster.plan({1, 2, 3});
  for (const NodeId node : {1u, 2u, 3u}) cluster[node].on_plan(plan);
  for (const NodeId node : {1u, 2u}) (void)cluster[node].on_install(plan, cluster.now());
  cluster.wait(10 * kSecond);

  EXPECT_TRUE(cluster.quorate({1, 2}));
  EXPECT_FALSE(cluster.quorate({3, 4, 5}));
}

TEST(LastManStanding, WhoHasForgottenDoesNotVote) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  cluster.wait(10 * kSecond);

  cluster.restart(3);

  EXPECT_EQ(cluster.install({3, 4, 5}).reason, Reason::WaitsForAll);
  EXPECT_TRUE(cluster.quorate({1, 2}));
}

TEST(LastManStanding, GoesDownToOneNodeWithATieBreaker) {
  Cluster cluster(last_man_standing(4, TieBreaker::Lowest));
  for (const std::vector<NodeId>& nodes :
       std::vector<std::vector<NodeId>>{{1, 2, 3, 4}, {2, 3, 4}, {3, 4}, {3}}) {
    EXPECT_TRUE(cluster.quorate(nodes)) << nodes.size();
    cluster.wait(10 * kSecond);
  }
  EXPECT_FALSE(cluster.quorate({4}));
}

TEST(LastManStanding, GrowsAgainWithTheNodesThatComeBack) {
  Cluster cluster(last_man_standing(3));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  ASSERT_TRUE(cluster.quorate({1, 2}));
  cluster.wait(10 * kSecond);
  cluster.restart(3);

  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  cluster.wait(10 * kSecond);

  EXPECT_FALSE(cluster.quorate({1}));
  EXPECT_TRUE(cluster.quorate({2, 3}));
}

TEST(LastManStanding, ANodeThatCannotRememberAnyMoreAttemptsHasForgotten) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  for (std::size_t i = 0; i < wire::Ballot::kOpenMax; ++i) {
    cluster[1].on_plan(cluster.plan({1, 2, 3}));
  }

  EXPECT_TRUE(cluster[1].forgotten());
  EXPECT_TRUE(cluster[1].ballot(cluster.now()).open.empty());
  EXPECT_TRUE(cluster.quorate({1, 2, 3, 4}));
  EXPECT_FALSE(cluster[1].forgotten());
}

TEST(Install, AskedAgainForTheSameViewGivesTheSameAnswer) {
  Cluster cluster(last_man_standing(3));
  const wire::Plan plan = cluster.plan({1, 2, 3});

  const Outcome first = cluster[1].on_install(plan, cluster.now());
  cluster.wait(kSecond);
  const Outcome again = cluster[1].on_install(plan, cluster.now());

  EXPECT_EQ(first, again);
}

TEST(Snapshot, ComesBackWholeOrNotAtAll) {
  Cluster cluster(last_man_standing(5));
  ASSERT_TRUE(cluster.quorate({1, 2, 3, 4, 5}));
  ASSERT_TRUE(cluster.quorate({1, 2, 3}));
  cluster.wait(10 * kSecond);
  ASSERT_TRUE(cluster.quorate({1, 2}));
  std::vector<std::byte> bytes = cluster[1].snapshot();

  Quorum other(last_man_standing(5), 1);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(other.restore(std::span(bytes).first(length))) << length;
  }
  EXPECT_TRUE(other.restore(bytes));
  EXPECT_EQ(other.snapshot(), bytes);
  EXPECT_EQ(other.ballot(cluster.now()), cluster[1].ballot(cluster.now()));

  Quorum stranger(last_man_standing(4), 1);
  EXPECT_FALSE(stranger.restore(bytes));
}

}  // namespace
}  // namespace phalanx::quorum
