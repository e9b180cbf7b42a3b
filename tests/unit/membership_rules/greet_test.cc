// Hellos, sequences and the orderly leave.

#include <gtest/gtest.h>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

TEST(Greet, StartsWithAHelloToEveryone) {
  Membership machine(config_of(1), 0);

  const Actions actions = machine.start(0);

  ASSERT_EQ(actions.sends.size(), 1u);
  EXPECT_EQ(actions.sends[0].to, Send::To::Everyone);
  EXPECT_TRUE(sent_hello(actions)->view.is_none());
  EXPECT_EQ(actions.wake_at, 20 * kMillisecond);
}

TEST(Greet, GreetsEveryIntervalWhileItGathersAndSlowerOnceAllAreIn) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  EXPECT_TRUE(sent_hello(machine.on_time(20 * kMillisecond)));

  Membership calm(config_of(1), 0);
  const ViewId view = install_first_view(calm, 1);
  for (const NodeId id : {2u, 3u}) {
    (void)tell(calm, node(id), hello_from(id, nodes({1, 2, 3}), view), kMillisecond);
  }
  EXPECT_FALSE(sent_hello(on_time_hearing(calm, {2, 3}, 100 * kMillisecond)));
  EXPECT_TRUE(sent_hello(on_time_hearing(calm, {2, 3}, 101 * kMillisecond)));
}

TEST(Greet, AHelloFromSomebodyWhoDoesNotHearMeEarnsAnAnswer) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);

  const Actions actions = tell(machine, node(2), hello_from(2, {}, machine.view()), kT);

  EXPECT_TRUE(sent_hello(actions));
}

TEST(Greet, ANewcomerIsNamedInTheNextHelloWithinMilliseconds) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  Actions actions = tell(machine, node(2), hello_from(2, nodes({1, 2})), kMillisecond);

  EXPECT_LE(actions.wake_at, 3 * kMillisecond);
  actions = machine.on_time(actions.wake_at);

  EXPECT_EQ(sent_hello(actions)->heard, nodes({2}));
}

TEST(Greet, AConvictionIsToldAtOnce) {
  Membership machine(config_of(2), 0);
  (void)install_first_view(machine, 2);

  const Actions actions = machine.on_dead(node(3), 2 * kMillisecond);

  ASSERT_TRUE(sent_hello(actions));
  EXPECT_EQ(sent_hello(actions)->heard, nodes({1}));
}

TEST(Greet, ASequenceIsReservedInBlocksBeforeItIsUsed) {
  Membership machine(config_of(1), 0);
  (void)machine.start(0);
  (void)tell(machine, node(2), hello_from(2, nodes({1, 2, 3})), kMillisecond);

  const Actions first = tell(machine, node(3), hello_from(3, nodes({1, 2, 3})), kMillisecond);

  EXPECT_EQ(sent_prepare(first)->attempt.sequence, 1u);
  EXPECT_EQ(first.reserve_sequence, 1u + (1u << 20));
}

TEST(Greet, ARestartNeverUsesASequenceAgain) {
  Membership machine(config_of(1), 1048577);
  (void)machine.start(0);
  (void)tell(machine, node(2), hello_from(2, nodes({1, 2, 3})), kMillisecond);

  const Actions first = tell(machine, node(3), hello_from(3, nodes({1, 2, 3})), kMillisecond);

  EXPECT_EQ(sent_prepare(first)->attempt.sequence, 1048578u);
  EXPECT_TRUE(first.reserve_sequence);
}

TEST(Greet, ASequenceThatOthersHaveSeenIsReservedToo) {
  Membership machine(config_of(2), 10);
  (void)machine.start(0);

  const Actions actions =
      tell(machine, node(1), hello_from(1, nodes({1, 2}), {}, /*seen=*/5'000'000), 0);

  EXPECT_EQ(actions.reserve_sequence, 5'000'000u + (1u << 20));
  EXPECT_EQ(machine.sequence_seen(), 5'000'000u);
}

TEST(Greet, ASequenceThatNobodyCanHaveReachedIsIgnored) {
  Membership machine(config_of(2), 10);
  (void)machine.start(0);

  (void)tell(machine, node(1), hello_from(1, nodes({1, 2}), {}, ~std::uint64_t{0}), 0);

  EXPECT_EQ(machine.sequence_seen(), 10u);
}

TEST(Greet, WhoLeavesSaysSoAnswersNoAttemptAndIsOutWhenTheOthersWentOn) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);

  EXPECT_TRUE(sent_hello(machine.leave(kT))->leaving);
  EXPECT_FALSE(machine.left());
  EXPECT_FALSE(
      tell(machine, node(2), wire::Prepare{view_id(9, 2), 0, nodes({1, 2, 3})}, kT).freeze);
  for (const NodeId id : {2u, 3u}) {
    (void)tell(machine, node(id), hello_from(id, nodes({2, 3}), view_id(9, 2)), kT);
  }

  EXPECT_NE(machine.view(), view_id(9, 2));
  EXPECT_EQ(machine.view(), view);
  EXPECT_TRUE(machine.left());
}

TEST(Greet, RubbishChangesNothing) {
  Membership machine(config_of(1), 0);
  const ViewId view = install_first_view(machine, 1);
  for (int kind = 0; kind < 8; ++kind) {
    for (std::size_t length = 0; length < 80; ++length) {
      const std::vector<std::byte> rubbish(length, static_cast<std::byte>(0xA5 + kind));
      (void)machine.on_message(node(2), static_cast<wire::MessageKind>(kind), rubbish, kT);
    }
  }

  EXPECT_EQ(machine.state(), State::Operational);
  EXPECT_EQ(machine.view(), view);
}

}  // namespace
}  // namespace phalanx::membership
