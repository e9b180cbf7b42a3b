// Who speaks but does not answer: it must not keep the others from a new view.

#include <gtest/gtest.h>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

/// Node 1 in a view of all three; node 3 has died. Its own worker answers, or does not.
struct Representative {
  Membership machine{config_of(1), 0};
  ViewId view = install_first_view(machine, 1);
  TimeNs now = kT;
  bool own_worker_answers = true;
  bool node_2_speaks = true;
  bool node_2_answers = false;

  Representative() { (void)machine.on_dead(node(3), now); }

  /// Until `done`, for at most this long, a step each millisecond.
  template <class Done>
  TimeNs run_until(Done done, TimeNs most) {
    for (const TimeNs end = now + most; !done() && now < end;) {
      now += kMillisecond;
      if (own_worker_answers) (void)machine.on_frozen(report_of(machine.attempt(), view), now);
      if (node_2_speaks) (void)tell(machine, node(2), hello_from(2, nodes({1, 2}), view), now);
      if (node_2_answers) (void)tell(machine, node(2), report_of(machine.attempt(), view), now);
      (void)machine.on_time(now);
    }
    return now - kT;
  }
  [[nodiscard]] bool hears_2() const { return machine.heard() == nodes({2}); }
};

TEST(Silent, AMemberThatSpeaksButAnswersNoAttemptIsLeftOutAfterTheSecond) {
  Representative r;

  const TimeNs took = r.run_until([&] { return !r.hears_2(); }, 2 * kSecond);
  EXPECT_GE(took, 200 * kMillisecond);
  EXPECT_LE(took, 300 * kMillisecond);

  (void)r.run_until([&] { return r.machine.state() == State::Recover; }, 100 * kMillisecond);
  (void)r.machine.on_recovered(r.machine.attempt(), r.now);
  (void)r.machine.on_installed(r.machine.attempt(), r.now);
  EXPECT_EQ(std::vector(r.machine.members().begin(), r.machine.members().end()), nodes({1}));
  const std::vector<Loss> why{{node(2), LossRule::NoAnswer}, {node(3), LossRule::Obituary}};
  EXPECT_EQ(std::vector(r.machine.losses().begin(), r.machine.losses().end()), why);
}

TEST(Silent, AMemberThatMissesOneAnswerStays) {
  Representative r;
  (void)r.run_until([] { return false; }, 120 * kMillisecond);

  r.node_2_answers = true;
  (void)r.run_until([&] { return r.machine.state() == State::Recover; }, kSecond);

  EXPECT_EQ(r.machine.state(), State::Recover);
  EXPECT_TRUE(r.hears_2());
}

// On a host with too few cores its worker may be late now and then.
TEST(Silent, ANodeWhoseOwnWorkerAnswersInBetweenGoesOn) {
  Representative r;
  const auto fail_one = [&](bool own_worker_answers) {
    r.own_worker_answers = own_worker_answers;
    const ViewId attempt = r.machine.attempt();
    (void)r.run_until([&] { return r.machine.attempt() != attempt; }, kSecond);
  };

  fail_one(false);
  fail_one(true);
  fail_one(false);

  EXPECT_TRUE(r.hears_2());
}

// Its control plane may be starting anew; the failure detector judges the rest.
TEST(Silent, AMemberThatSaysNothingIsNotAccusedByItsSilence) {
  Representative r;
  r.node_2_speaks = false;
  TimeNs vouched = r.now;

  (void)r.run_until(
      [&] {
        if (r.now < vouched + 10 * kMillisecond) return false;
        vouched = r.now;
        (void)r.machine.on_vouch(2, r.now);
        return false;
      },
      350 * kMillisecond);

  EXPECT_TRUE(r.hears_2());
}

// It would accuse all others in turn, and take them out of their views with each of its attempts.
TEST(Silent, ARepresentativeWhoseOwnWorkerDoesNotAnswerAccusesItselfAlone) {
  Representative r;
  r.own_worker_answers = false;
  r.node_2_answers = true;

  (void)r.run_until([&] { return !r.hears_2(); }, 2 * kSecond);
  EXPECT_TRUE(r.machine.heard().empty());

  r.own_worker_answers = true;
  (void)r.run_until([&] { return r.machine.state() == State::Recover; }, kSecond);
  (void)r.machine.on_recovered(r.machine.attempt(), r.now);
  (void)r.machine.on_installed(r.machine.attempt(), r.now);
  (void)tell(r.machine, node(2), hello_from(2, nodes({1, 2}), r.view), r.now);
  EXPECT_EQ(r.machine.members().size(), 1u);
  EXPECT_TRUE(r.hears_2());  // And they merge.
}

TEST(Silent, AMemberTellsTheRepresentativeOfAPlanThatItsWorkerRefuses) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);
  const wire::Prepare prepare{view_id(8, 1), 0, nodes({1, 2, 3})};
  const wire::Plan plan = empty_plan(prepare, {view, view, view});
  (void)tell(machine, node(1), prepare, kT);
  (void)machine.on_frozen(report_of(prepare.attempt, view), kT);
  ASSERT_TRUE(tell(machine, node(1), plan, kT).recover);

  const Actions refused = machine.on_refused(prepare.attempt, kT);

  ASSERT_TRUE(sent_refusal(refused));
  EXPECT_EQ(sent_refusal(refused)->attempt, prepare.attempt);
  EXPECT_EQ(sent(refused, wire::MessageKind::Refusal)->node, 1u);
  EXPECT_EQ(machine.state(), State::Gather);
  EXPECT_TRUE(sent_refusal(tell(machine, node(1), plan, kT)));  // The first was lost.
}

TEST(Silent, AMemberGivesUpWithItsRepresentative) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);
  const wire::Prepare prepare{view_id(8, 1), 0, nodes({1, 2})};
  (void)tell(machine, node(1), prepare, kT);

  (void)tell(machine, node(1), hello_from(1, nodes({1, 2}), view, 7), kT);  // From before.
  EXPECT_EQ(machine.state(), State::Prepare);
  (void)tell(machine, node(1), hello_from(1, nodes({1, 2}), view, 8), kT);
  EXPECT_EQ(machine.state(), State::Gather);
}

TEST(Silent, ARepresentativeTriesAgainAtOnceWhenAPlanIsRefused) {
  for (const bool own : {true, false}) {
    Representative r;
    r.node_2_answers = true;
    (void)r.run_until([&] { return r.machine.state() == State::Recover; }, kSecond);
    ASSERT_EQ(r.machine.state(), State::Recover);
    const ViewId attempt = r.machine.attempt();
    const TimeNs before = r.now;

    if (own) {
      (void)r.machine.on_refused(attempt, r.now);
    } else {
      (void)tell(r.machine, node(2), wire::Refusal{attempt, attempt.sequence}, r.now);
    }
    (void)r.run_until([&] { return r.machine.attempt() != attempt; }, kSecond);

    EXPECT_LE(r.now - before, 15 * kMillisecond);
  }
}

TEST(Silent, AMemberWhoseOwnWorkerDoesNotAnswerTellsTheOthersToGoOn) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);
  TimeNs now = kT;
  for (std::uint64_t sequence = 8; sequence < 10; ++sequence) {
    (void)tell(machine, node(1), wire::Prepare{view_id(sequence, 1), 0, nodes({1, 2, 3})}, now);
    for (const TimeNs end = now + 210 * kMillisecond; now < end;) {
      now += kMillisecond;
      for (const NodeId other : {1u, 3u}) {
        (void)tell(machine, node(other), hello_from(other, nodes({1, 2, 3}), view), now);
      }
    }
  }

  EXPECT_TRUE(machine.heard().empty());
}

}  // namespace
}  // namespace phalanx::membership
