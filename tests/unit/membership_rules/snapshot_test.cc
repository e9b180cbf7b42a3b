// A control plane that died goes on where it stopped.

#include <gtest/gtest.h>

#include "ipc/base/bytes.h"
#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

TEST(Snapshot, AnOperationalViewIsTakenUpWithoutAChange) {
  Membership old(config_of(2), 0);
  const ViewId view = install_first_view(old, 2);
  Membership machine(config_of(2), 1 << 21);

  const auto actions = machine.restore(old.snapshot(), kT);

  ASSERT_TRUE(actions);
  EXPECT_FALSE(actions->freeze || actions->recover || actions->install);
  EXPECT_EQ(machine.state(), State::Operational);
  EXPECT_EQ(machine.view(), view);
  EXPECT_EQ(machine.heard(), nodes({1, 3}));
  EXPECT_EQ(machine.sequence_seen(), 1u << 21);  // Never below what the disk says.
}

TEST(Snapshot, WhatWasAskedOfTheDataPlaneIsAskedAgain) {
  Membership old(config_of(2), 0);
  const ViewId view = install_first_view(old, 2);
  const wire::Prepare prepare{view_id(8, 1), 0, nodes({1, 2, 3})};
  const wire::Plan plan = empty_plan(prepare, {view, view, view});
  const auto restored = [&] {
    Membership machine(config_of(2), 0);
    return *machine.restore(old.snapshot(), kT);
  };

  (void)tell(old, node(1), prepare, kT);
  EXPECT_TRUE(restored().freeze);
  (void)old.on_frozen(report_of(prepare.attempt, view), kT);
  (void)tell(old, node(1), plan, kT);
  EXPECT_EQ(restored().recover, plan);
  (void)old.on_recovered(prepare.attempt, kT);
  EXPECT_TRUE(sent(restored(), wire::MessageKind::Done));
  for (const NodeId id : {1u, 3u}) (void)tell(old, node(id), wire::Done{prepare.attempt}, kT);
  EXPECT_EQ(restored().install, plan);
}

TEST(Snapshot, APromiseIsKeptOverARestart) {
  Membership old(config_of(2), 0);
  (void)install_first_view(old, 2);
  (void)tell(old, node(1), wire::Prepare{view_id(8, 1), 0, nodes({1, 2, 3})}, kT);
  Membership machine(config_of(2), 0);
  ASSERT_TRUE(machine.restore(old.snapshot(), kT));

  const Actions late = tell(machine, node(3), wire::Prepare{view_id(8, 3), 0, nodes({2, 3})}, kT);

  EXPECT_FALSE(late.freeze);
  EXPECT_TRUE(machine.frozen());
}

TEST(Snapshot, ARepresentativeWithoutItsReportsStartsAHigherAttempt) {
  Membership old(config_of(1), 0);
  (void)install_first_view(old, 1);
  (void)old.on_dead(node(3), kT);
  const std::uint64_t first = old.attempt().sequence;
  Membership machine(config_of(1), 0);

  const auto actions = machine.restore(old.snapshot(), kT);

  ASSERT_TRUE(actions);
  EXPECT_GT(machine.attempt().sequence, first);
  EXPECT_TRUE(sent_prepare(*actions));
}

TEST(Snapshot, CountsUp) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);
  const auto first = load_le<std::uint64_t>(machine.snapshot().data());
  Membership next(config_of(1), 0);
  ASSERT_TRUE(next.restore(machine.snapshot(), kT));

  EXPECT_EQ(load_le<std::uint64_t>(next.snapshot().data()), first + 2);
}

TEST(Snapshot, ATornOneIsRefused) {
  Membership old(config_of(2), 0);
  (void)install_first_view(old, 2);
  const std::vector<std::byte> whole = old.snapshot();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Membership machine(config_of(2), 0);
    EXPECT_FALSE(machine.restore(std::span(whole).first(i), kT));
    std::vector<std::byte> torn = whole;
    torn[i] ^= std::byte{0x40};
    EXPECT_FALSE(machine.restore(torn, kT)) << "byte " << i;
  }
  std::vector<std::byte> padded = whole;
  padded.resize(65536);  // The memory that it lies in is larger.
  Membership machine(config_of(2), 0);
  EXPECT_TRUE(machine.restore(padded, kT));
}

TEST(Snapshot, ThatOfAnotherIncarnationOrConfigurationIsRefused) {
  Membership old(config_of(2), 0);
  (void)install_first_view(old, 2);
  MembershipConfig reborn = config_of(2);
  reborn.self = node(2, /*life=*/2);

  EXPECT_FALSE(Membership(reborn, 0).restore(old.snapshot(), kT));
  EXPECT_FALSE(Membership(config_of(2, {1, 2}), 0).restore(old.snapshot(), kT));
}

}  // namespace
}  // namespace phalanx::membership
