#include "controlplane/daemon/conductor.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane_daemon/conductor_bench.h"

namespace phalanx::controlplane {
namespace {

TEST(Conductor, BringsThreeDataPlanesIntoOneView) {
  Bench bench(3);

  bench.start_all();
  bench.run_for(kSecond);

  EXPECT_TRUE(bench.agree({1, 2, 3}));
  ASSERT_FALSE(bench.node(2).views.empty());
  EXPECT_EQ(bench.node(2).views.back().members.size(), 3U);
}

// A control plane that dies between the two would break a promise that a peer has heard.
TEST(Conductor, StoresEveryStepBeforeItCommandsAnything) {
  Bench bench(3);

  bench.start_all();
  bench.run_for(kSecond);

  const auto& history = bench.node(3).port->history;
  ASSERT_FALSE(history.empty());
  EXPECT_EQ(history.front(), "store");
  for (const char* order : {"freeze", "recover", "install"}) {
    const auto at = std::find(history.begin(), history.end(), order);
    ASSERT_NE(at, history.end()) << order;
    EXPECT_EQ(*(at - 1), "store") << order;
  }
}

TEST(Conductor, SaysNothingWithASequenceThatIsNotOnTheDisk) {
  Bench bench(3);
  for (NodeId id = 1; id <= 3; ++id) bench.node(id).disk_full = true;

  bench.start_all();
  bench.run_for(kSecond);

  for (NodeId id = 1; id <= 3; ++id) {
    EXPECT_TRUE(bench.node(id).port->worker.view.is_none());
    EXPECT_EQ(bench.node(id).reserved, 0U);
  }
  for (NodeId id = 1; id <= 3; ++id) bench.node(id).disk_full = false;
  bench.run_for(2 * kSecond);
  EXPECT_TRUE(bench.agree({1, 2, 3}));
}

TEST(Conductor, LearnsOfAnInstallWhoseEventWasLost) {
  Bench bench(2);
  bench.node(2).port->loses_installed = true;

  bench.start_all();
  bench.run_for(kSecond);

  EXPECT_TRUE(bench.agree({1, 2}));
  const auto& membership = bench.node(2).conductor->membership();
  EXPECT_EQ(membership.view(), bench.node(2).port->worker.view);
  EXPECT_FALSE(membership.frozen());
}

// It would cost the deadline of a recovery, some 500 ms.
TEST(Conductor, TriesAgainSoonWhenAWorkerRefusesAPlan) {
  for (const NodeId refuser : {1U, 2U}) {
    Bench bench(2);
    bench.node(refuser).port->refuses_plans = 1;

    bench.start_all();
    bench.run_for(150 * kMillisecond);

    EXPECT_TRUE(bench.agree({1, 2})) << refuser;
  }
}

TEST(Conductor, InstallsAViewOfTheSurvivorsWithoutWaitingWhenADeathIsProven) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));

  bench.node(2).alive = false;
  bench.node(2).conductor.reset();
  for (const NodeId id : {1U, 3U}) {
    bench.node(id).conductor->on_dead(bench.node(2).self, bench.now());
  }
  while (bench.step()) {
  }

  EXPECT_TRUE(bench.agree({1, 3}));
  const std::vector<membership::Loss> left{{bench.node(2).self, membership::LossRule::Obituary}};
  EXPECT_EQ(bench.node(1).views.back().left, left);
}

TEST(Conductor, TakesUpARunningDataPlaneAfterACrashAndNobodyNotices) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));
  const ViewId before = bench.node(1).port->worker.view;

  for (const NodeId id : {1U, 2U, 3U}) {
    bench.node(id).conductor.reset();
    bench.run_for(5 * kSecond);
    EXPECT_EQ(bench.start(id), Conductor::Begin::Adopted);
    bench.run_for(kSecond);
  }

  EXPECT_TRUE(bench.agree({1, 2, 3}));
  EXPECT_EQ(bench.node(1).port->worker.view, before);
}

// A reload under way: the worker is told, and the others are judged by the new time from then on.
TEST(Conductor, TellsItsWorkerNewTimesAndJudgesByThem) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));
  const ViewId before = bench.node(1).port->worker.view;
  const shm::Tuning tuning{.dead_after = kSecond, .throttles = true, .throttle_max = kSecond};
  for (const NodeId id : {1U, 2U, 3U}) {
    bench.node(id).conductor->tune({.dead_after = kSecond,
                                    .stall_after = 2 * kSecond,
                                    .hold_min = 50 * kMillisecond,
                                    .hold_max = kSecond},
                                   tuning, bench.now());
    const shm::Command& told = bench.node(id).port->commands.back();
    ASSERT_EQ(told.kind, shm::CommandKind::Tune);
    EXPECT_EQ(shm::decode_tuning(told.bytes), tuning);
  }

  bench.node(3).alive = false;
  bench.run_for(800 * kMillisecond);
  EXPECT_EQ(bench.node(1).port->worker.view, before) << "by the old time";

  bench.run_for(2 * kSecond);
  EXPECT_TRUE(bench.agree({1, 2}));
}

// The worst moments: after every single command of a view change, for each role.
TEST(Conductor, GoesOnWhereItStoppedWhereverAViewChangeIsCutOff) {
  for (const NodeId victim : {1U, 2U, 3U}) {
    for (int steps = 0; steps < 40; ++steps) {
      Bench bench(4);
      bench.start_all();
      bench.run_for(kSecond);
      ASSERT_TRUE(bench.agree({1, 2, 3, 4}));
      bench.node(4).alive = false;
      bench.node(4).conductor.reset();
      for (const NodeId id : {1U, 2U, 3U}) {
        bench.node(id).conductor->on_dead(bench.node(4).self, bench.now());
      }

      for (int i = 0; i < steps; ++i) (void)bench.step();
      bench.node(victim).conductor.reset();
      bench.run_for(10 * kMillisecond);
      EXPECT_EQ(bench.start(victim), Conductor::Begin::Adopted);
      bench.run_for(3 * kSecond);

      EXPECT_TRUE(bench.agree({1, 2, 3})) << "victim " << victim << " after " << steps;
    }
  }
}

TEST(Conductor, WantsADataPlaneStartedAnewWhoseAttemptIsGone) {
  Bench bench(2);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2}));
  bench.node(2).conductor.reset();

  bench.node(2).port->attempt.clear();
  EXPECT_EQ(bench.start(2), Conductor::Begin::Unusable);
  bench.node(2).port->attempt.assign(100, std::byte{0x5A});
  EXPECT_EQ(bench.start(2), Conductor::Begin::Unusable);
}

TEST(Conductor, KeepsOrdersForAFullRingAndLetsMessagesGo) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));
  bench.node(3).alive = false;
  bench.node(3).conductor.reset();

  bench.node(2).port->ring_is_full = true;
  for (const NodeId id : {1U, 2U}) {
    bench.node(id).conductor->on_dead(bench.node(3).self, bench.now());
  }
  bench.run_for(20 * kMillisecond);
  EXPECT_FALSE(bench.agree({1, 2}));
  bench.node(2).port->ring_is_full = false;
  bench.run_for(kSecond);

  EXPECT_TRUE(bench.agree({1, 2}));
  EXPECT_GT(bench.node(2).conductor->sends_lost(), 0U);
}

// A worker that is stopped sees nobody: that is its own fault, not theirs. The others decide.
TEST(Conductor, AccusesNobodyWhileItsOwnWorkerStandsStill) {
  Bench bench(3);
  bench.vouching = true;
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));
  const ViewId before = bench.node(1).port->worker.view;

  bench.node(2).worker_stopped = true;
  bench.run_for(200 * kMillisecond);  // Beyond dead_after, below stall_after.
  bench.node(2).worker_stopped = false;
  bench.run_for(kSecond);

  EXPECT_TRUE(bench.agree({1, 2, 3}));
  EXPECT_EQ(bench.node(2).port->worker.view, before);
}

TEST(Conductor, CountsRubbishFromTheWorker) {
  Bench bench(1);
  bench.start_all();
  shm::Event event{.kind = shm::WorkerEventKind::Frozen, .bytes = {std::byte{1}}};

  bench.node(1).conductor->on_event(event, bench.now());

  EXPECT_EQ(bench.node(1).conductor->events_bad(), 1U);
}

TEST(Conductor, LeavesInOrder) {
  Bench bench(3);
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));

  bench.node(3).conductor->leave(bench.now());
  bench.run_for(50 * kMillisecond);

  EXPECT_TRUE(bench.agree({1, 2}));
  EXPECT_TRUE(bench.node(3).conductor->membership().left());
}

}  // namespace
}  // namespace phalanx::controlplane
