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
