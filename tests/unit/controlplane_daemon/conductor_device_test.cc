#include <gtest/gtest.h>

#include "controlplane/quorum/arbiter.h"
#include "tests/unit/controlplane_daemon/conductor_bench.h"

namespace phalanx::controlplane {
namespace {

constexpr std::uint32_t kEpoch = 9;

/// Two nodes, whole; node 2 then dies.
Bench bereaved() {
  Bench bench(2);
  bench.device_votes = 1;
  bench.start_all();
  bench.run_for(kSecond);
  for (NodeId id = 1; id <= 2; ++id) bench.node(id).asked.clear();
  bench.node(2).alive = false;
  bench.node(2).conductor.reset();
  return bench;
}

/// Until node 1 asks.
bool run_to_question(Bench& bench) {
  for (int ms = 0; ms < 3000 && bench.node(1).asked.empty(); ++ms) bench.run_for(kMillisecond);
  return !bench.node(1).asked.empty();
}

void answer(Bench& bench, bool yes) {
  wire::DeviceWord word = bench.node(1).asked.back();
  word.epoch = kEpoch;
  word.yes = yes;
  bench.node(1).conductor->on_device(word, bench.now());
}

TEST(ConductorDevice, IsNotWaitedForWhereTheNodesAreEnough) {
  Bench bench(3);
  bench.device_votes = 1;
  bench.start_all();
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1, 2, 3}));
  for (NodeId id = 1; id <= 3; ++id) {
    EXPECT_TRUE(bench.node(id).port->told_quorate);
    for (const wire::DeviceWord& word : bench.node(id).asked) EXPECT_NE(word.nodes, 7U);
  }
}

TEST(ConductorDevice, AGrantIsInTheViewItWasGivenTo) {
  Bench bench = bereaved();
  ASSERT_TRUE(run_to_question(bench));
  EXPECT_EQ(bench.node(1).asked.back().nodes, 1U);
  EXPECT_FALSE(bench.node(1).asked.back().yes);
  EXPECT_FALSE(bench.agree({1})) << "before the answer";
  answer(bench, false);  // The epoch is news: it asks again.
  ASSERT_EQ(bench.node(1).asked.size(), 2U);
  EXPECT_EQ(bench.node(1).asked.back().epoch, kEpoch);
  answer(bench, true);
  bench.run_for(kMillisecond);
  ASSERT_TRUE(bench.agree({1}));
  EXPECT_TRUE(bench.node(1).port->told_quorate);
  EXPECT_EQ(bench.node(1).views.back().quorum.total, 2U);
}

TEST(ConductorDevice, OneThatIsAwayHoldsUpNoViewForLong) {
  Bench bench = bereaved();
  ASSERT_TRUE(run_to_question(bench));
  bench.run_for(25 * kMillisecond);
  ASSERT_TRUE(bench.agree({1}));
  EXPECT_FALSE(bench.node(1).port->told_quorate);
}

TEST(ConductorDevice, AYesThatComesLaterBringsANewView) {
  Bench bench = bereaved();
  ASSERT_TRUE(run_to_question(bench));
  bench.run_for(kSecond);
  ASSERT_TRUE(bench.agree({1}));
  const ViewId without = bench.node(1).port->worker.view;

  bench.node(1).asked.clear();
  bench.node(1).conductor->probe_device();
  ASSERT_EQ(bench.node(1).asked.size(), 1U);
  EXPECT_TRUE(bench.node(1).asked.back().yes) << "it is installed";
  answer(bench, false);
  answer(bench, true);
  for (int ms = 0; ms < 1000 && bench.node(1).asked.size() < 3; ++ms) bench.run_for(kMillisecond);
  ASSERT_GE(bench.node(1).asked.size(), 3U);
  EXPECT_NE(bench.node(1).asked.back().sequence, without.sequence);
  answer(bench, true);
  bench.run_for(kMillisecond);
  EXPECT_NE(bench.node(1).port->worker.view, without);
  EXPECT_TRUE(bench.node(1).port->told_quorate);
}

TEST(ConductorDevice, ANoLeavesTheViewWithoutQuorum) {
  Bench bench = bereaved();
  ASSERT_TRUE(run_to_question(bench));
  answer(bench, false);
  answer(bench, false);
  bench.run_for(kMillisecond);
  ASSERT_TRUE(bench.agree({1}));
  EXPECT_FALSE(bench.node(1).port->told_quorate);
}

}  // namespace
}  // namespace phalanx::controlplane
