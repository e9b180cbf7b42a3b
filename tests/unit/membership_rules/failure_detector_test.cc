#include "controlplane/membership/failure_detector.h"

#include <gtest/gtest.h>

namespace phalanx::membership {
namespace {

constexpr TimeNs kMs = kMillisecond;

/// A peer (0) that is heard, makes progress and is vouched for every 10 ms up to `until`.
FailureDetector healthy_until(TimeNs until, TimeNs every = 10 * kMs) {
  FailureDetector detector({.dead_after = 50 * kMs, .stall_after = 500 * kMs});
  detector.watch(0, kMs, /*new_incarnation=*/true);
  for (TimeNs at = every; at <= until; at += every) {
    detector.on_rows(0, at - every / 2, at - every / 2, at);
    detector.on_vouch(0, at);
  }
  return detector;
}

TEST(FailureDetector, SuspectsAtHalfTheLimitAndConvictsAtTheLimit) {
  const FailureDetector detector = healthy_until(1000 * kMs);

  EXPECT_EQ(detector.verdict(0, 1024 * kMs, true), Verdict::Fine);
  EXPECT_EQ(detector.verdict(0, 1025 * kMs, true), Verdict::Suspected);
  EXPECT_EQ(detector.verdict(0, 1049 * kMs, true), Verdict::Suspected);
  EXPECT_EQ(detector.verdict(0, 1050 * kMs, true), Verdict::Convicted);
  EXPECT_EQ(detector.convicted_by(0, 1049 * kMs, true), LossRule::None);
  EXPECT_EQ(detector.convicted_by(0, 1050 * kMs, true), LossRule::DeadAfter);
}

TEST(FailureDetector, SaysWhenItsVerdictWillGetWorse) {
  const FailureDetector detector = healthy_until(1000 * kMs);

  EXPECT_EQ(detector.next_verdict_at(0, 1000 * kMs, true), 1025 * kMs);
  EXPECT_EQ(detector.next_verdict_at(0, 1030 * kMs, true), 1050 * kMs);
  EXPECT_EQ(detector.next_verdict_at(0, 1050 * kMs, true), kNever);
}

TEST(FailureDetector, ASignOfLifeTakesAnyVerdictBack) {
  FailureDetector detector = healthy_until(1000 * kMs);
  ASSERT_EQ(detector.verdict(0, 1060 * kMs, true), Verdict::Convicted);

  detector.on_rows(0, 1060 * kMs, 1060 * kMs, 1060 * kMs);

  EXPECT_EQ(detector.verdict(0, 1061 * kMs, true), Verdict::Fine);
}

TEST(FailureDetector, AVouchedWorkerHasStallAfter) {
  FailureDetector detector = healthy_until(1000 * kMs);
  for (TimeNs at = 1000 * kMs; at < 1494 * kMs; at += 10 * kMs) {
    detector.on_vouch(0, at);
    EXPECT_NE(detector.verdict(0, at, true), Verdict::Convicted);
  }

  EXPECT_EQ(detector.verdict(0, 1495 * kMs, true), Verdict::Convicted);  // Last row: 995.
  EXPECT_EQ(detector.convicted_by(0, 1495 * kMs, true), LossRule::StallAfter);
}

TEST(FailureDetector, WithoutVouchingSilenceTakesStallAfter) {
  FailureDetector detector({.dead_after = 50 * kMs, .stall_after = 500 * kMs});
  detector.watch(0, 0, true);
  detector.on_rows(0, 100 * kMs, 100 * kMs, 100 * kMs);

  EXPECT_EQ(detector.verdict(0, 599 * kMs, true), Verdict::Suspected);
  EXPECT_EQ(detector.verdict(0, 600 * kMs, true), Verdict::Convicted);
}

TEST(FailureDetector, AMemberThatDoesNotGetOnIsConvictedThoughItIsHeard) {
  FailureDetector detector = healthy_until(1000 * kMs);
  for (TimeNs at = 1010 * kMs; at < 1490 * kMs; at += 10 * kMs) {
    detector.on_rows(0, at, 995 * kMs, at);
    detector.on_vouch(0, at);
    EXPECT_NE(detector.verdict(0, at, true), Verdict::Convicted);
  }

  detector.on_rows(0, 1495 * kMs, 995 * kMs, 1495 * kMs);

  EXPECT_EQ(detector.verdict(0, 1495 * kMs, true), Verdict::Convicted);
  EXPECT_EQ(detector.convicted_by(0, 1495 * kMs, true), LossRule::NoProgress);
}

TEST(FailureDetector, HellosDoNotReplaceRowsWhileLanesRun) {
  FailureDetector detector = healthy_until(1000 * kMs);
  for (TimeNs at = 1000 * kMs; at <= 1500 * kMs; at += 20 * kMs) detector.on_control(0, at);

  EXPECT_EQ(detector.verdict(0, 1500 * kMs, /*lanes_running=*/true), Verdict::Convicted);
  EXPECT_EQ(detector.verdict(0, 1500 * kMs, /*lanes_running=*/false), Verdict::Fine);
}

TEST(FailureDetector, TheLimitGrowsWithTheOwnInterArrivalOfAPeer) {
  const FailureDetector slow = healthy_until(4000 * kMs, /*every=*/100 * kMs);

  EXPECT_GT(slow.limit(0), 80 * kMs);
  EXPECT_LE(slow.limit(0), 500 * kMs);
  EXPECT_EQ(healthy_until(1000 * kMs).limit(0), 50 * kMs);  // The floor.
}

TEST(FailureDetector, HowOftenItIsReadDoesNotChangeTheLimit) {
  FailureDetector detector({.dead_after = 50 * kMs, .stall_after = 500 * kMs});
  detector.watch(0, 0, true);
  for (TimeNs at = 200 * kMs; at < 20'000 * kMs; at += 200 * kMs) {
    detector.on_rows(0, at - 5 * kMs, at, at);  // Rows all 10 ms, read all 200 ms.
  }

  EXPECT_EQ(detector.limit(0), 50 * kMs);
}

TEST(FailureDetector, APeerDoesNotEarnPatienceByDying) {
  FailureDetector detector = healthy_until(1000 * kMs);

  for (TimeNs at = 1000 * kMs; at < 1050 * kMs; at += kMs) {
    detector.on_rows(0, 995 * kMs, 995 * kMs, at);
  }

  EXPECT_EQ(detector.limit(0), 50 * kMs);
  EXPECT_EQ(detector.verdict(0, 1050 * kMs, true), Verdict::Convicted);
}

TEST(FailureDetector, WhoWasNotRunningItselfAccusesNobodyForAWhile) {
  FailureDetector detector = healthy_until(1000 * kMs);

  detector.distrust_self(1200 * kMs);

  EXPECT_EQ(detector.verdict(0, 1249 * kMs, true), Verdict::Suspected);
  EXPECT_EQ(detector.verdict(0, 1250 * kMs, true), Verdict::Convicted);
}

TEST(FailureDetector, PeersAreJudgedEachOnItsOwn) {
  FailureDetector detector = healthy_until(1000 * kMs);
  for (std::size_t peer = 1; peer < kNodesMax; ++peer) detector.watch(peer, 1000 * kMs, true);

  EXPECT_EQ(detector.verdict(0, 1050 * kMs, true), Verdict::Convicted);
  EXPECT_EQ(detector.verdict(63, 1050 * kMs, true), Verdict::Fine);
}

}  // namespace
}  // namespace phalanx::membership
