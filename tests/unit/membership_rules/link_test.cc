// A node whose own link is down says so: proof, as an obituary is, but of something that passes.

#include <gtest/gtest.h>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

TEST(Link, APeerThatSaysThatItsLinkIsDownIsLeftOutAtOnce) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);

  const Actions actions = machine.on_cut_off(node(3), kT);

  ASSERT_TRUE(sent_prepare(actions));
  EXPECT_EQ(sent_prepare(actions)->members, nodes({1, 2}));
}

TEST(Link, TheWordOfAnotherIncarnationCountsForNothing) {
  Membership machine(config_of(1), 0);
  (void)install_first_view(machine, 1);

  EXPECT_FALSE(machine.on_cut_off(node(3, /*life=*/7), kT).freeze);
  EXPECT_FALSE(machine.on_cut_off(node(1), kT).freeze);
  EXPECT_EQ(machine.heard(), nodes({2, 3}));
}

TEST(Link, WhatWasUnderWayWhenTheLinkWentDownDoesNotProveItUp) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);
  (void)machine.on_cut_off(node(3), kT);

  (void)tell(machine, node(3), hello_from(3, nodes({1, 2, 3}), view), kT + kMillisecond);
  EXPECT_EQ(machine.heard(), nodes({1}));

  (void)tell(machine, node(3), hello_from(3, nodes({1, 2, 3}), view), kT + 60 * kMillisecond);
  EXPECT_EQ(machine.heard(), nodes({1, 3}));
}

TEST(Link, AVouchSaysThatTheLinkIsUpAgain) {
  Membership machine(config_of(2), 0);
  (void)install_first_view(machine, 2);
  (void)machine.on_cut_off(node(3), kT);

  (void)machine.on_vouch(3, kT + kMillisecond);

  (void)machine.on_time(kT + kMillisecond);
  EXPECT_EQ(machine.heard(), nodes({1, 3}));
}

TEST(Link, WhoseOwnLinkIsDownGoesOnAloneAndMergesWhenItIsBack) {
  Membership machine(config_of(2), 0);
  const ViewId view = install_first_view(machine, 2);

  const Actions down = machine.on_own_link(false, kT);
  EXPECT_TRUE(down.freeze);
  (void)machine.on_frozen(report_of(machine.attempt(), view), kT);
  (void)machine.on_recovered(machine.attempt(), kT);
  (void)machine.on_installed(machine.attempt(), kT);
  EXPECT_EQ(machine.members().size(), 1u);
  EXPECT_TRUE(machine.heard().empty());

  EXPECT_TRUE(sent_hello(machine.on_own_link(true, kT + kSecond)));
  (void)tell(machine, node(1), hello_from(1, nodes({1, 2, 3}), view_id(9, 1)), kT + kSecond);
  EXPECT_EQ(machine.heard(), nodes({1}));
}

}  // namespace
}  // namespace phalanx::membership
