// Prepare, report, plan, recover, install: what a node answers and when.

#include <gtest/gtest.h>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

/// Node 2 in a view of all three, and an attempt of node 1 to which it has reported.
struct MemberInAttempt {
  Membership machine{config_of(2), 0};
  ViewId old_view = install_first_view(machine, 2);
  wire::Prepare prepare{view_id(8, 1), 0, nodes({1, 2, 3})};
  wire::Plan plan = empty_plan(prepare, {old_view, old_view, old_view});

  MemberInAttempt() {
    (void)tell(machine, node(1), prepare, kT);
    (void)machine.on_frozen(report_of(prepare.attempt, old_view), kT);
  }
};

// Where processors are slow, answers are, and dead_after says how slow.
TEST(Agree, AStepMayTakeAsLongAsASilentNodeDoes) {
  EXPECT_EQ(attempt_deadline_for(50 * kMillisecond), 100 * kMillisecond);
  EXPECT_EQ(attempt_deadline_for(kSecond), kSecond);
  EXPECT_EQ(attempt_deadline_for(60 * kSecond), 5 * kSecond);
}

// A member answers only an attempt higher than all it has answered: with two answers out, two
// representatives could install different views under one another's nose.
TEST(Agree, RefusesAnAttemptThatIsNotHigherThanAllItHasAnswered) {
  MemberInAttempt m;

  for (const std::uint64_t sequence : {7u, 8u}) {
    const Actions late =
        tell(m.machine, node(3), wire::Prepare{view_id(sequence, 3), 0, nodes({2, 3})}, kT);

    EXPECT_FALSE(late.freeze);
    ASSERT_TRUE(sent_refusal(late));
    EXPECT_EQ(sent_refusal(late)->sequence_seen, 8u);
  }
  EXPECT_EQ(m.machine.attempt(), m.prepare.attempt);
}

TEST(Agree, AHigherAttemptReplacesTheOneThatRuns) {
  MemberInAttempt m;

  const Actions next = tell(m.machine, node(3), wire::Prepare{view_id(9, 3), 0, nodes({2, 3})}, kT);

  EXPECT_TRUE(next.freeze);
  EXPECT_EQ(m.machine.attempt(), view_id(9, 3));
}

// Who comes back from a cut may hear one side of a view before the other: its attempt would tear
// members apart that hear one another well.
TEST(Agree, RefusesAStrangersAttemptThatLeavesALivingMemberBehind) {
  Membership machine(config_of(3, {1, 2, 3, 4}), 0);
  (void)install_first_view(machine, 3);
  (void)tell(machine, node(4), hello_from(4, nodes({3})), kT);
  const wire::Prepare tearing{view_id(8, 4), 0, nodes({2, 3, 4})};

  const Actions asked = tell(machine, node(4), tearing, kT);

  EXPECT_FALSE(asked.freeze);
  EXPECT_TRUE(sent_refusal(asked));

  (void)machine.on_dead(node(1), kT);
  EXPECT_TRUE(tell(machine, node(4), tearing, kT).freeze);
}

TEST(Agree, FreezesBeforeItAnswers) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);
  const wire::Prepare prepare{view_id(8, 1), 0, nodes({1, 2, 3})};

  const Actions asked = tell(machine, node(1), prepare, kT);
  EXPECT_TRUE(asked.freeze);
  EXPECT_FALSE(sent_report(asked));
  EXPECT_TRUE(machine.frozen());

  const Actions frozen = machine.on_frozen(report_of(prepare.attempt, view), kT);
  ASSERT_TRUE(sent_report(frozen));
  EXPECT_EQ(sent_report(frozen)->attempt, prepare.attempt);
  EXPECT_EQ(sent(frozen, wire::MessageKind::Report)->node, 1u);
  EXPECT_EQ(sent(frozen, wire::MessageKind::Report)->boot, node(1).boot);
}

TEST(Agree, FrozenIsFinalUntilAnInstall) {
  MemberInAttempt m;

  (void)m.machine.on_time(kT + 250 * kMillisecond);  // The deadline has passed.

  EXPECT_EQ(m.machine.state(), State::Gather);
  EXPECT_TRUE(m.machine.frozen());
  EXPECT_EQ(m.machine.view(), m.old_view);
}

TEST(Agree, IgnoresAnAttemptForAnotherIncarnationOfItself) {
  Membership machine(config_of(2), 0);
  (void)install_first_view(machine, 2);
  std::vector<Member> members = nodes({1, 2, 3});
  members[1] = node(2, /*life=*/9);

  const Actions actions = tell(machine, node(1), wire::Prepare{view_id(8, 1), 0, members}, kT);

  EXPECT_FALSE(actions.freeze);
  EXPECT_FALSE(sent_refusal(actions));
}

TEST(Agree, IgnoresAnAttemptWithoutItself) {
  Membership machine(config_of(2), 0);
  (void)install_first_view(machine, 2);

  EXPECT_FALSE(tell(machine, node(1), wire::Prepare{view_id(8, 1), 0, nodes({1, 3})}, kT).freeze);
}

TEST(Agree, IgnoresAnAttemptInTheNameOfAnotherNode) {
  Membership machine(config_of(2), 0);
  (void)install_first_view(machine, 2);

  EXPECT_FALSE(
      tell(machine, node(3), wire::Prepare{view_id(8, 1), 0, nodes({1, 2, 3})}, kT).freeze);
}

TEST(Agree, ReportsAKeyItDoesNotHold) {
  Membership machine(config_of(2), 0);
  (void)install_first_view(machine, 2);

  EXPECT_FALSE(
      tell(machine, node(1), wire::Prepare{view_id(8, 1), 5, nodes({1, 2, 3})}, kT).freeze);
  ASSERT_EQ(machine.rejections().size(), 1u);
  EXPECT_EQ(machine.rejections()[0], (Rejection{1, Rejection::Reason::KeyId, 0, 5}));
}

TEST(Agree, RepeatsItsReportUntilThePlanIsThere) {
  MemberInAttempt m;

  EXPECT_TRUE(sent_report(m.machine.on_time(kT + 3 * kMillisecond)));
  EXPECT_TRUE(sent_report(tell(m.machine, node(1), m.prepare, kT + 4 * kMillisecond)));
  (void)tell(m.machine, node(1), m.plan, kT + 5 * kMillisecond);
  EXPECT_FALSE(sent_report(m.machine.on_time(kT + 50 * kMillisecond)));
}

TEST(Agree, TakesAPlanOnlyFromTheRepresentativeOfTheAttemptItAnswered) {
  MemberInAttempt m;
  wire::Plan other = m.plan;
  other.attempt = view_id(7, 1);

  EXPECT_FALSE(tell(m.machine, node(3), m.plan, kT).recover);
  EXPECT_FALSE(tell(m.machine, node(1), other, kT).recover);
  EXPECT_EQ(tell(m.machine, node(1), m.plan, kT).recover, m.plan);
  EXPECT_EQ(m.machine.state(), State::Recover);
}

TEST(Agree, IgnoresAPlanThatDoesNotHoldItselfOrItsOldView) {
  MemberInAttempt m;
  wire::Prepare other = m.prepare;
  other.members = nodes({1, 3});
  const wire::Plan without_self = empty_plan(other, {m.old_view, m.old_view});
  const wire::Plan without_old_view = empty_plan(m.prepare);

  EXPECT_FALSE(tell(m.machine, node(1), without_self, kT).recover);
  EXPECT_FALSE(tell(m.machine, node(1), without_old_view, kT).recover);
}

TEST(Agree, SaysDoneToAllOnceItRecoveredAndInstallsAtDoneOfAll) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)tell(m.machine, node(1), wire::Done{m.prepare.attempt}, kT);
  EXPECT_FALSE(tell(m.machine, node(3), wire::Done{m.prepare.attempt}, kT).install);

  const Actions done = m.machine.on_recovered(m.prepare.attempt, kT);

  ASSERT_TRUE(sent(done, wire::MessageKind::Done));
  EXPECT_EQ(sent(done, wire::MessageKind::Done)->members, nodes({1, 3}));
  EXPECT_EQ(done.install, m.plan);
  EXPECT_EQ(m.machine.view(), m.old_view);  // Until the data plane did it.
  (void)m.machine.on_installed(m.prepare.attempt, kT);
  EXPECT_EQ(m.machine.view(), m.prepare.attempt);
  EXPECT_FALSE(m.machine.frozen());
}

TEST(Agree, DoesNotInstallBeforeAllAreDone) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)m.machine.on_recovered(m.prepare.attempt, kT);

  EXPECT_FALSE(tell(m.machine, node(1), wire::Done{m.prepare.attempt}, kT).install);
  EXPECT_FALSE(tell(m.machine, node(3, /*life=*/7), wire::Done{m.prepare.attempt}, kT).install);
}

TEST(Agree, ADoneOfAnotherAttemptDoesNotCount) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)m.machine.on_recovered(m.prepare.attempt, kT);
  (void)tell(m.machine, node(1), wire::Done{m.prepare.attempt}, kT);

  EXPECT_FALSE(tell(m.machine, node(3), wire::Done{view_id(7, 1)}, kT).install);
}

TEST(Agree, NobodyInstallsWhatItHasNotRecovered) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);

  const Actions actions =
      tell(m.machine, node(3), hello_from(3, nodes({1, 2, 3}), m.prepare.attempt), kT);

  EXPECT_FALSE(actions.install);
}

TEST(Agree, AMemberThatNamesTheNewViewProvesThatAllWereDone) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)m.machine.on_recovered(m.prepare.attempt, kT);

  const Actions actions =
      tell(m.machine, node(3), hello_from(3, nodes({1, 2, 3}), m.prepare.attempt), kT);

  EXPECT_TRUE(actions.install);
}

TEST(Agree, WhoGaveUpOnAnAttemptStillFollowsAMemberThatInstalledIt) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)m.machine.on_recovered(m.prepare.attempt, kT);
  (void)m.machine.on_time(kT + 700 * kMillisecond);
  ASSERT_EQ(m.machine.state(), State::Gather);

  const Actions actions =
      tell(m.machine, node(3), hello_from(3, nodes({1, 2, 3}), m.prepare.attempt),
           kT + 701 * kMillisecond);

  EXPECT_TRUE(actions.install);
}

TEST(Agree, WhoAnsweredAHigherAttemptDoesNotGoBack) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)m.machine.on_recovered(m.prepare.attempt, kT);
  (void)tell(m.machine, node(1), wire::Prepare{view_id(9, 1), 0, nodes({1, 2})}, kT);

  EXPECT_FALSE(
      tell(m.machine, node(3), hello_from(3, nodes({1, 2, 3}), m.prepare.attempt), kT).install);
}

TEST(Agree, AnInstallThatWasAskedForComesBeforeAnotherAnswer) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  for (const NodeId other : {1u, 3u}) {
    (void)tell(m.machine, node(other), wire::Done{m.prepare.attempt}, kT);
  }
  ASSERT_TRUE(m.machine.on_recovered(m.prepare.attempt, kT).install);
  const wire::Prepare next{view_id(9, 1), 0, nodes({1, 2, 3})};

  EXPECT_FALSE(tell(m.machine, node(1), next, kT).freeze);
  (void)m.machine.on_installed(m.prepare.attempt, kT);
  EXPECT_TRUE(tell(m.machine, node(1), next, kT + kMillisecond).freeze);
}

TEST(Agree, WhoInstalledAnswersARepeatedDoneWithItsView) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);

  const Actions actions = tell(machine, node(3), wire::Done{view}, kT);

  ASSERT_TRUE(sent_hello(actions));
  EXPECT_EQ(sent_hello(actions)->view, view);
}

TEST(Agree, RepeatsDoneUntilEverybodysIsThere) {
  MemberInAttempt m;
  (void)tell(m.machine, node(1), m.plan, kT);
  (void)m.machine.on_recovered(m.prepare.attempt, kT);
  (void)tell(m.machine, node(1), wire::Done{m.prepare.attempt}, kT);

  const Actions later = m.machine.on_time(kT + 5 * kMillisecond);

  ASSERT_TRUE(sent(later, wire::MessageKind::Done));
  EXPECT_EQ(sent(later, wire::MessageKind::Done)->members, nodes({3}));
}

TEST(Agree, TheRepresentativePlansOnlyWhenAllReportsAreIn) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  Actions actions = machine.on_dead(node(3), kT);
  ASSERT_TRUE(actions.freeze);
  const ViewId attempt = machine.attempt();

  EXPECT_FALSE(tell(machine, node(2), report_of(attempt, view), kT).recover);
  actions = machine.on_frozen(report_of(attempt, view), kT);

  ASSERT_TRUE(actions.recover);
  EXPECT_EQ(actions.recover->members, nodes({1, 2}));
  EXPECT_TRUE(sent(actions, wire::MessageKind::Plan));
}

TEST(Agree, ARefusedRepresentativeTriesAgainAboveWhatItWasTold) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);
  (void)machine.on_dead(node(3), kT);

  const Actions again = tell(machine, node(2), wire::Refusal{machine.attempt(), 40}, kT);

  ASSERT_TRUE(sent_prepare(again));
  EXPECT_EQ(sent_prepare(again)->attempt.sequence, 41u);
}

TEST(Agree, OfTwoRepresentativesTheLowerIdWins) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);
  (void)machine.on_dead(node(3), kT);
  const std::uint64_t own = machine.attempt().sequence;

  const Actions actions =
      tell(machine, node(2), wire::Prepare{view_id(own + 1, 2), 0, nodes({1, 2})}, kT);

  ASSERT_TRUE(sent_prepare(actions));
  EXPECT_EQ(sent_prepare(actions)->attempt, view_id(own + 2, 1));
}

TEST(Agree, ADeathDuringAnAttemptStartsAHigherOneAtOnce) {
  Membership machine(config_of(1, {1, 2, 3}), 0);
  const ViewId view = install_first_view(machine, 1);
  (void)machine.on_dead(node(3), kT);
  const std::uint64_t first = machine.attempt().sequence;
  (void)machine.on_frozen(report_of(machine.attempt(), view), kT);

  (void)machine.on_dead(node(2), kT);

  EXPECT_EQ(machine.state(), State::Prepare);
  EXPECT_EQ(machine.attempt().sequence, first + 1);
}

TEST(Agree, EveryStepHasADeadlineAfterWhichAHigherAttemptFollows) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  (void)machine.on_dead(node(3), kT);
  const std::uint64_t first = machine.attempt().sequence;
  (void)machine.on_frozen(report_of(machine.attempt(), view), kT);

  TimeNs now = kT;
  while (machine.attempt().sequence == first && now < kT + kSecond) {
    now += kMillisecond;
    (void)tell(machine, node(2), hello_from(2, nodes({1, 2}), view), now);  // Alive, but mute.
  }

  EXPECT_GE(now - kT, 105 * kMillisecond);  // The deadline, and a pause that grows.
  EXPECT_LE(now - kT, 130 * kMillisecond);
}

TEST(Agree, LateAndForeignAnswersOfTheDataPlaneDoNoHarm) {
  MemberInAttempt m;

  EXPECT_FALSE(m.machine.on_recovered(m.prepare.attempt, kT).install);
  EXPECT_FALSE(m.machine.on_recovered(view_id(99, 3), kT).install);
  (void)m.machine.on_installed(m.prepare.attempt, kT);
  EXPECT_EQ(m.machine.view(), m.old_view);
  EXPECT_EQ(m.machine.on_frozen(report_of(view_id(99, 3), m.old_view), kT).sends.size(), 0u);
}

}  // namespace
}  // namespace phalanx::membership
