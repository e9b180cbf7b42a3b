#include <gtest/gtest.h>

#include "tests/unit/controlplane_daemon/conductor_bench.h"

namespace phalanx::controlplane {
namespace {

TEST(ConductorQuorum, TheFlagGoesOutWithTheInstallOfItsView) {
  Bench bench(3);

  bench.start_all();
  bench.run_for(kSecond);

  ASSERT_TRUE(bench.agree({1, 2, 3}));
  for (NodeId id = 1; id <= 3; ++id) EXPECT_TRUE(bench.node(id).port->told_quorate) << id;
  EXPECT_EQ(bench.node(2).views.back().quorum.total, 3U);
}

TEST(ConductorQuorum, TheRestOfACrashedMajorityIsToldWithItsNextView) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));

  for (const NodeId id : {2u, 3u}) {
    bench.node(id).alive = false;
    bench.node(id).conductor.reset();
  }
  bench.run_for(3 * kSecond);

  ASSERT_TRUE(bench.agree({1}));
  EXPECT_FALSE(bench.node(1).port->told_quorate);
  EXPECT_EQ(bench.node(1).views.back().quorum.reason, quorum::Reason::TooFewVotes);
}

TEST(ConductorQuorum, ARestartedControlPlaneRemembersThatAllWereSeen) {
  Bench bench(3);
  bench.wait_for_all = true;
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));

  bench.node(1).conductor.reset();
  ASSERT_EQ(bench.start(1), Conductor::Begin::Adopted);

  EXPECT_TRUE(bench.node(1).conductor->quorum().outcome().quorate);
  EXPECT_FALSE(bench.node(1).conductor->quorum().forgotten());
}

// Node 3 is not the one that leads attempts: it asks for one of its own.
TEST(ConductorQuorum, AnOrderIsRuledOnByANewViewOfTheSameMembers) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));
  const ViewId before = bench.node(3).port->worker.view;

  const wire::Order order{.kind = wire::Order::Kind::Expected, .index = 0, .number = 4};
  EXPECT_EQ(bench.node(3).conductor->propose(order, bench.now()).verdict, quorum::Verdict::Carried);
  EXPECT_TRUE(bench.node(3).rulings.empty());
  bench.run_for(kSecond);

  ASSERT_TRUE(bench.agree({1, 2, 3}));
  EXPECT_NE(bench.node(3).port->worker.view, before);
  ASSERT_EQ(bench.node(3).rulings.size(), 1U);
  EXPECT_EQ(bench.node(3).rulings[0].verdict, quorum::Verdict::Carried);
  for (NodeId id = 1; id <= 3; ++id) {
    EXPECT_EQ(bench.node(id).conductor->quorum().outcome().needed, 3U) << id;
  }
}

TEST(ConductorQuorum, OrdersOfAllNodesAreCarriedOutOneAfterAnother) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));

  for (const NodeId id : {1u, 2u, 3u}) {
    const wire::Order order{.kind = wire::Order::Kind::Expected, .index = 0, .number = 3 + id % 3};
    ASSERT_EQ(bench.node(id).conductor->propose(order, bench.now()).verdict,
              quorum::Verdict::Carried);
  }
  bench.run_for(3 * kSecond);

  ASSERT_TRUE(bench.agree({1, 2, 3}));
  for (NodeId id = 1; id <= 3; ++id) {
    ASSERT_EQ(bench.node(id).rulings.size(), 1U) << id;
    EXPECT_EQ(bench.node(id).conductor->quorum().amendment(),
              bench.node(1).conductor->quorum().amendment());
  }
}

TEST(ConductorQuorum, AnAttemptWithoutItsVotesCannotBeTakenUp) {
  Bench bench(1);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1}));

  bench.node(1).conductor.reset();
  bench.node(1).port->attempt.pop_back();

  EXPECT_EQ(bench.start(1), Conductor::Begin::Unusable);
}

}  // namespace
}  // namespace phalanx::controlplane
