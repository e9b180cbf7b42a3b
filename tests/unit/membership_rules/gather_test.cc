// When a view is left, with whom, and who decides.

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

TEST(Gather, TheFirstViewOfAllConfiguredNodesDoesNotWait) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  (void)tell(machine, node(2), hello_from(2, nodes({1, 2, 3})), kMillisecond);

  const Actions actions = tell(machine, node(3), hello_from(3, nodes({1, 2, 3})), kMillisecond);

  ASSERT_TRUE(sent_prepare(actions));
  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2, 3}));
}

TEST(Gather, ASmallerFirstViewWaitsForTheHoldTime) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  (void)tell(machine, node(2), hello_from(2, nodes({1, 2})), kMillisecond);

  EXPECT_FALSE(sent_prepare(machine.on_time(50 * kMillisecond)));
  EXPECT_EQ(sent_prepare(machine.on_time(51 * kMillisecond))->members, nodes({1, 2}));
}

TEST(Gather, OnlyTheLowestIdStartsAnAttempt) {
  Membership machine(config_of(2), 0);
  (void)machine.start(0);
  (void)tell(machine, node(1), hello_from(1, nodes({1, 2, 3})), kMillisecond);
  (void)tell(machine, node(3), hello_from(3, nodes({1, 2, 3})), kMillisecond);

  EXPECT_FALSE(sent_prepare(machine.on_time(100 * kMillisecond)));
  EXPECT_EQ(machine.state(), State::Gather);
}

TEST(Gather, HearingMustBeMutual) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  (void)tell(machine, node(2), hello_from(2, nodes({3})), kMillisecond);  // Does not hear me.

  const Actions alone = machine.on_time(51 * kMillisecond);

  EXPECT_TRUE(alone.freeze);  // An attempt of its own, with nobody to send it to.
  EXPECT_FALSE(sent_prepare(alone));
}

TEST(Gather, AProofOfDeathIsActedOnAtOnceFromWhatTheViewKnows) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);

  const Actions actions = machine.on_dead(node(3), kT);

  ASSERT_TRUE(sent_prepare(actions));
  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2}));
  EXPECT_TRUE(actions.freeze);
}

TEST(Gather, AProofOfDeathOfAnEarlierLifeChangesNothing) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);

  EXPECT_FALSE(machine.on_dead(node(3, /*life=*/0), kT).freeze);
}

TEST(Gather, ANewBootIdProvesTheOldOneDead) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);

  const Actions actions = tell(machine, node(3, /*life=*/2), hello_from(3, {}), kT);

  ASSERT_TRUE(sent_prepare(actions));
  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2}));
}

TEST(Gather, ABuriedIncarnationIsNotListenedTo) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  (void)machine.on_dead(node(3), kT);

  (void)tell(machine, node(3), hello_from(3, nodes({1, 2, 3}), view), kT + kMillisecond);

  EXPECT_EQ(machine.heard(), nodes({2}));
}

TEST(Gather, AnOrderlyLeaverIsTakenOutAtOnce) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  wire::Hello goodbye = hello_from(3, nodes({1, 2}), view);
  goodbye.leaving = true;

  const Actions actions = tell(machine, node(3), goodbye, kT);

  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2}));
}

TEST(Gather, ASilentMemberIsSuspectedThenConvicted) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);
  for (TimeNs now = 10 * kMillisecond; now <= kT; now += 10 * kMillisecond) {
    (void)machine.on_vouch(3, now);
    (void)on_time_hearing(machine, {2, 3}, now);
  }

  TimeNs now = kT;
  Actions actions;
  while (!sent_prepare(actions) && now < kT + kSecond) {
    now += kMillisecond;
    actions = on_time_hearing(machine, {2}, now);
  }

  EXPECT_EQ(now, kT + 50 * kMillisecond);
  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2}));
}

TEST(Gather, AReplyBeforePrepareCancelsASuspicion) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);
  for (TimeNs now = 10 * kMillisecond; now <= kT; now += 10 * kMillisecond) {
    (void)machine.on_vouch(3, now);
    (void)on_time_hearing(machine, {2, 3}, now);
  }

  (void)on_time_hearing(machine, {2}, kT + 45 * kMillisecond);
  (void)on_time_hearing(machine, {2, 3}, kT + 49 * kMillisecond);

  EXPECT_FALSE(on_time_hearing(machine, {2, 3}, kT + 60 * kMillisecond).freeze);
  EXPECT_EQ(machine.state(), State::Operational);
}

// The control plane was not scheduled for 200 ms: what its peers said meanwhile waits in queues.
TEST(Gather, WhoWasPausedItselfGivesItsPeersTimeToBeHeard) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);
  for (TimeNs now = 10 * kMillisecond; now <= kT; now += 10 * kMillisecond) {
    (void)machine.on_vouch(2, now);
    (void)machine.on_vouch(3, now);
    (void)on_time_hearing(machine, {2, 3}, now);
  }

  const Actions late = machine.on_time(kT + 200 * kMillisecond);  // Rows not even read yet.

  EXPECT_FALSE(late.freeze);
  EXPECT_EQ(machine.heard(), nodes({2, 3}));
}

TEST(Gather, AnAccusationByAnotherMemberWaitsForTheOwnVerdict) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  (void)on_time_hearing(machine, {2, 3}, kT);

  EXPECT_FALSE(tell(machine, node(2), hello_from(2, nodes({1}), view), kT).freeze);
  (void)on_time_hearing(machine, {2, 3}, kT + 40 * kMillisecond);
  EXPECT_EQ(machine.state(), State::Operational);

  const Actions cut_off = on_time_hearing(machine, {2, 3}, kT + 50 * kMillisecond);
  EXPECT_EQ(sent_prepare(cut_off)->members, nodes({1, 2}));  // Of 2 and 3 the highest id goes.
}

TEST(Gather, AJoinerIsTakenInAfterTheHoldTimeWithAllMembers) {
  Membership machine(config_of(1, {1, 2, 3, 4}), 0);
  (void)machine.start(0);
  const auto others = nodes({1, 2, 3});
  for (const NodeId id : {2u, 3u})
    (void)tell(machine, node(id), hello_from(id, others), kMillisecond);
  (void)machine.on_time(51 * kMillisecond);
  const ViewId view = machine.attempt();
  (void)machine.on_frozen(report_of(view), kT);
  for (const NodeId id : {2u, 3u}) (void)tell(machine, node(id), report_of(view), kT);
  (void)machine.on_recovered(view, kT);
  for (const NodeId id : {2u, 3u}) (void)tell(machine, node(id), wire::Done{view}, kT);
  (void)machine.on_installed(view, kT);
  ASSERT_EQ(machine.members().size(), 3u);

  const auto all = nodes({1, 2, 3, 4});
  for (const NodeId id : {2u, 3u}) (void)tell(machine, node(id), hello_from(id, all, view), kT);
  (void)tell(machine, node(4), hello_from(4, all), kT);

  EXPECT_FALSE(sent_prepare(on_time_hearing(machine, {2, 3}, kT + 49 * kMillisecond)));
  const Actions ripe = on_time_hearing(machine, {2, 3}, kT + 50 * kMillisecond);
  EXPECT_EQ(sent_prepare(ripe)->members, all);
}

TEST(Gather, JoinersWaitForARunningAttempt) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  wire::Hello busy = hello_from(2, nodes({1, 2}), view_id(4, 2));
  busy.attempt_running = true;
  for (TimeNs now = 0; now < 300 * kMillisecond; now += 20 * kMillisecond) {
    EXPECT_FALSE(sent_prepare(tell(machine, node(2), busy, now)));
  }
}

TEST(Gather, AMergeDoesNotSplitTheViewOfTheOthers) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  // 2 and 3 have a view of their own; 3 does not hear me.
  for (TimeNs now = 0; now < 300 * kMillisecond; now += 20 * kMillisecond) {
    for (const auto& [id, hears] : {std::pair{3u, nodes({2})}, std::pair{2u, nodes({1, 3})}}) {
      const Actions actions = tell(machine, node(id), hello_from(id, hears, view_id(4, 2)), now);
      EXPECT_FALSE(sent_prepare(actions));
    }
  }
}

// A member that froze for an attempt which failed cannot go on in the view by itself.
TEST(Gather, AMemberThatStaysFrozenIsFreedByANewAttempt) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  wire::Hello frozen = hello_from(3, nodes({1, 2}), view);
  frozen.attempt_running = true;
  TimeNs now = kT;
  Actions actions;
  while (!sent_prepare(actions) && now < kT + kSecond) {
    (void)tell(machine, node(3), frozen, now);
    actions = on_time_hearing(machine, {2, 3}, now += kMillisecond);
  }

  EXPECT_EQ(now, kT + 200 * kMillisecond);
  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2, 3}));
}

TEST(Gather, NobodyStaysWithoutAViewBecauseALowerIdDoesNotAct) {
  Membership machine(config_of(2, {1, 2}), 0);
  (void)machine.start(0);
  TimeNs now = 0;
  while (!machine.frozen() && now < 2 * kSecond) {
    now += 10 * kMillisecond;
    (void)tell(machine, node(1), hello_from(1, nodes({1, 2})), now);
  }

  EXPECT_EQ(now, 510 * kMillisecond);
  EXPECT_EQ(machine.attempt(), view_id(1, 2));
}

TEST(Gather, AnotherConfigurationIsKeptOutAndReported) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  wire::Hello other = hello_from(2, nodes({1, 2}));
  other.config_hash = 77;

  (void)tell(machine, node(2), other, 0);

  EXPECT_TRUE(machine.heard().empty());
  ASSERT_EQ(machine.rejections().size(), 1u);
  EXPECT_EQ(machine.rejections()[0], (Rejection{2, Rejection::Reason::ConfigHash, 0, 77}));
  (void)tell(machine, node(2), hello_from(2, nodes({1, 2})), kMillisecond);
  EXPECT_TRUE(machine.rejections().empty());
}

TEST(Gather, TheKeyOfAViewIsTheHighestThatAllHold) {
  MembershipConfig config = config_of(1);
  config.key_id_highest = 5;
  Membership machine(config, 0);
  (void)machine.start(0);
  wire::Hello two = hello_from(2, nodes({1, 2, 3}));
  two.key_id_highest = 4;
  wire::Hello three = hello_from(3, nodes({1, 2, 3}));
  three.key_id_highest = 6;
  (void)tell(machine, node(2), two, kMillisecond);

  EXPECT_EQ(sent_prepare(tell(machine, node(3), three, kMillisecond))->key_id, 4u);
}

TEST(Gather, ANodeThatIsNotConfiguredIsIgnored) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);

  (void)tell(machine, node(9), hello_from(9, nodes({1})), 0);

  EXPECT_TRUE(machine.heard().empty());
}

}  // namespace
}  // namespace phalanx::membership
