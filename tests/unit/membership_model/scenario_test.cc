// Whole clusters in virtual time: what must come out, and how soon.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/membership_model/cluster.h"

namespace phalanx::membership::model {
namespace {

/// One way of a message or of an answer of a data plane is 100 us at most here.
constexpr TimeNs kFewRoundTrips = 2 * kMillisecond;

void form(Cluster& cluster, TimeNs calm = 300 * kMillisecond) {
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.boot(i);
  ASSERT_NE(cluster.run_until([&] { return cluster.one_view_of_all(); }, kSecond), kNever);
  cluster.run_for(calm);
  ASSERT_TRUE(cluster.one_view_of_all());
}

TEST(Scenario, ThreeNodesFormTheirFirstViewWithinTheHoldTime) {
  Cluster cluster({.nodes = 3});

  for (std::size_t i = 0; i < 3; ++i) cluster.boot(i);

  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of_all(); }, kSecond);
  EXPECT_LE(took, 50 * kMillisecond);
  EXPECT_EQ(cluster.installs(0), 1u);
}

TEST(Scenario, ANodeAloneFormsAViewOfItself) {
  Cluster cluster({.nodes = 3});

  cluster.boot(1);

  EXPECT_LE(cluster.run_until([&] { return cluster.one_view_of({1}); }, kSecond),
            60 * kMillisecond);
}

TEST(Scenario, AProofOfDeathLeadsToAViewWithoutWaitingForAnyTimer) {
  for (const std::size_t victim : {0u, 1u, 2u}) {  // The representative, too.
    Cluster cluster({.nodes = 3});
    form(cluster);
    std::vector<std::size_t> survivors{0, 1, 2};
    std::erase(survivors, victim);

    cluster.kill(victim, /*obituary=*/true);

    EXPECT_LE(cluster.run_until([&] { return cluster.one_view_of(survivors); }, kSecond),
              kFewRoundTrips);
    EXPECT_EQ(cluster.installs(survivors[0]), 2u);
  }
}

TEST(Scenario, SilenceInBothPlanesConvictsAfterDeadAfter) {
  Cluster cluster({.nodes = 3});
  form(cluster);

  cluster.kill(2, /*obituary=*/false);

  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of({0, 1}); }, kSecond);
  EXPECT_GE(took, 30 * kMillisecond);  // Rows and vouches up to the kill count.
  EXPECT_LE(took, 60 * kMillisecond);
}

TEST(Scenario, WithoutVouchingSilenceConvictsAfterStallAfter) {
  Cluster cluster({.nodes = 3, .vouching = false});
  form(cluster);

  cluster.kill(2, /*obituary=*/false);

  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of({0, 1}); }, 2 * kSecond);
  EXPECT_GE(took, 450 * kMillisecond);
  EXPECT_LE(took, 520 * kMillisecond);
}

TEST(Scenario, DetectionDoesNotSlowDownWithTheNumberOfNodes) {
  Cluster cluster({.nodes = 24});
  form(cluster);
  std::vector<std::size_t> survivors;
  for (std::size_t i = 0; i + 1 < cluster.size(); ++i) survivors.push_back(i);

  cluster.kill(23, /*obituary=*/false);

  EXPECT_LE(cluster.run_until([&] { return cluster.one_view_of(survivors); }, kSecond),
            60 * kMillisecond);
}

TEST(Scenario, AMemberWithoutProgressIsLeftOutAfterStallAfter) {
  Cluster cluster({.nodes = 3});
  form(cluster);

  cluster.lose_progress(2);

  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of({0, 1}); }, 2 * kSecond);
  EXPECT_GE(took, 450 * kMillisecond);
  EXPECT_LE(took, 520 * kMillisecond);
}

TEST(Scenario, ARestartedNodeIsBackWithinTheHoldTimeAndALittle) {
  Cluster cluster({.nodes = 3});
  form(cluster);
  cluster.run_for(kSecond);
  cluster.kill(2, /*obituary=*/true);
  cluster.run_for(200 * kMillisecond);

  cluster.boot(2);

  EXPECT_LE(cluster.run_until([&] { return cluster.one_view_of_all(); }, kSecond),
            100 * kMillisecond);
  EXPECT_EQ(cluster.installs(2), 2u);  // No view of its own in between.
}

TEST(Scenario, AFlappingNodeIsHeldLongerEachTime) {
  Cluster cluster({.nodes = 3, .hold_max = 5 * kSecond});
  form(cluster);
  TimeNs last = 0;
  for (int k = 0; k < 4; ++k) {
    cluster.kill(2, /*obituary=*/true);
    cluster.run_for(20 * kMillisecond);
    cluster.boot(2);
    last = cluster.run_until([&] { return cluster.one_view_of_all(); }, 2 * kSecond);
    ASSERT_NE(last, kNever);
  }

  EXPECT_GE(last, 400 * kMillisecond);
}

TEST(Scenario, BothSidesOfACutGoOnAndMergeWhenItHeals) {
  Cluster cluster({.nodes = 5});
  form(cluster);
  for (std::size_t a : {0u, 1u}) {
    for (std::size_t b : {2u, 3u, 4u}) {
      cluster.set_link(a, b, false);
      cluster.set_link(b, a, false);
    }
  }
  // The management network is not cut: each side sees the other vouched for.
  EXPECT_NE(cluster.run_until(
                [&] {
                  return cluster.one_view_of({0, 1}) && cluster.one_view_of({2, 3, 4});
                },
                kSecond),
            kNever);

  cluster.heal();

  EXPECT_LE(cluster.run_until([&] { return cluster.one_view_of_all(); }, kSecond),
            250 * kMillisecond);
}

TEST(Scenario, AOneWayCutBetweenTwoMembersLeavesOneOfThemOut) {
  Cluster cluster({.nodes = 3});
  form(cluster);

  cluster.set_link(1, 2, false);  // Node 3 does not hear node 2; node 1 hears both.

  EXPECT_NE(cluster.run_until(
                [&] {
                  return cluster.one_view_of({0, 1}) && cluster.one_view_of({2});
                },
                2 * kSecond),
            kNever);
  const std::size_t installs = cluster.installs(0);
  cluster.run_for(2 * kSecond);
  EXPECT_EQ(cluster.installs(0), installs);  // It does not flap.
}

TEST(Scenario, AnOrderlyLeaveTakesEffectAtOnce) {
  Cluster cluster({.nodes = 3});
  form(cluster);

  cluster.leave(0);

  EXPECT_LE(cluster.run_until(
                [&] {
                  return cluster.one_view_of({1, 2});
                },
                kSecond),
            kFewRoundTrips);
  EXPECT_NE(cluster.run_until([&] { return cluster.machine(0).left(); }, kSecond), kNever);
}

TEST(Scenario, AMissingControlPlaneCostsNothingWhileTheViewStands) {
  Cluster cluster({.nodes = 3});
  form(cluster);

  cluster.kill_control_plane(1);
  cluster.run_for(3 * kSecond);
  cluster.restart_control_plane(1);
  cluster.run_for(kSecond);

  EXPECT_TRUE(cluster.one_view_of_all());
  EXPECT_EQ(cluster.installs(0), 1u);
}

TEST(Scenario, AControlPlaneThatStaysAwayFromAnAttemptIsLeftOutAfterASecond) {
  Cluster cluster({.nodes = 3});
  form(cluster);
  cluster.kill_control_plane(1);
  cluster.run_for(100 * kMillisecond);

  cluster.kill(2, /*obituary=*/true);

  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of({0}); }, 3 * kSecond);
  EXPECT_GE(took, 900 * kMillisecond);
  EXPECT_LE(took, 1300 * kMillisecond);
  cluster.restart_control_plane(1);
  EXPECT_NE(cluster.run_until([&] { return cluster.one_view_of({0, 1}); }, kSecond), kNever);
}

TEST(Scenario, AControlPlaneRestartInTheMiddleOfAnAttemptGoesOnWithIt) {
  for (TimeNs into = 0; into < kMillisecond; into += 50 * kMicrosecond) {
    for (const std::size_t restarted : {0u, 1u}) {
      Cluster cluster({.nodes = 3});
      form(cluster);
      cluster.kill(2, /*obituary=*/true);
      cluster.run_for(into);

      cluster.kill_control_plane(restarted);
      cluster.run_for(kMillisecond);
      cluster.restart_control_plane(restarted);

      EXPECT_LE(cluster.run_until(
                    [&] {
                      return cluster.one_view_of({0, 1});
                    },
                    kSecond),
                300 * kMillisecond)
          << "restarted " << restarted << " after " << into << " ns\n"
          << cluster.describe();
    }
  }
}

TEST(Scenario, APausedControlPlaneAccusesNobody) {
  Cluster cluster({.nodes = 3});
  form(cluster);

  cluster.pause(0, 400 * kMillisecond);
  cluster.run_for(2 * kSecond);

  EXPECT_EQ(cluster.installs(0), 1u);
  EXPECT_TRUE(cluster.one_view_of_all());
}

TEST(Scenario, AnIdleViewSaysLittle) {
  Cluster cluster({.nodes = 3});
  form(cluster);
  const std::uint64_t before = cluster.messages();

  cluster.run_for(10 * kSecond);

  EXPECT_LE(cluster.messages() - before, 10 * 3 * 2 * 10 + 60);  // Ten hellos a second each.
}

TEST(Scenario, SixtyFourNodesWithEightLanesFormOneViewAndSurviveADeath) {
  Cluster cluster({.nodes = 64, .lanes = 8});
  form(cluster, 40 * kMillisecond);
  std::vector<std::size_t> survivors;
  for (std::size_t i = 1; i < cluster.size(); ++i) survivors.push_back(i);

  cluster.kill(0, /*obituary=*/true);

  EXPECT_LE(cluster.run_until([&] { return cluster.one_view_of(survivors); }, kSecond),
            5 * kMillisecond);
  EXPECT_LE(cluster.machine(1).snapshot().size(), 65536u);
}

}  // namespace
}  // namespace phalanx::membership::model
