// The cluster key of a view, while keys are rotated.

#include <gtest/gtest.h>

#include "controlplane/membership/input.h"
#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 10 * kMillisecond;
constexpr KeyIds kOldOnly{.lowest = 1, .highest = 1, .next = 0};
constexpr KeyIds kBoth{.lowest = 1, .highest = 1, .next = 2};
constexpr KeyIds kGoesOver{.lowest = 1, .highest = 2, .next = 2};

MembershipConfig with_keys(NodeId self, const KeyIds& keys) {
  MembershipConfig config = config_of(self);
  config.key_id_lowest = keys.lowest;
  config.key_id_highest = keys.highest;
  config.key_id_next = keys.next;
  return config;
}

/// A node in a view of all three under key 0: those of the script name none.
struct InView {
  explicit InView(NodeId self)
      : machine(config_of(self), 0), view(install_first_view(machine, self)) {}

  wire::Hello hello(NodeId from, std::uint32_t key_id) const {
    wire::Hello hello = hello_from(from, nodes({1, 2, 3}), view);
    hello.key_id_highest = key_id;
    return hello;
  }

  Membership machine;
  ViewId view;
};

TEST(Rekey, TheLowestMemberLeadsAViewOfTheSameMembersOnceAllWouldGoOver) {
  InView at(1);

  const Actions told = at.machine.rekey(kGoesOver, kT);
  EXPECT_EQ(sent_hello(told)->key_id_highest, 2U) << "the others learn of it at once";
  EXPECT_FALSE(told.freeze);
  EXPECT_FALSE(tell(at.machine, node(2), at.hello(2, 2), kT).freeze);
  const Actions all = tell(at.machine, node(3), at.hello(3, 2), kT);

  ASSERT_TRUE(sent_prepare(all));
  EXPECT_EQ(sent_prepare(all)->key_id, 2U);
  EXPECT_EQ(sent_prepare(all)->members, nodes({1, 2, 3}));
}

TEST(Rekey, TheOthersWaitForTheLowest) {
  InView at(2);

  (void)at.machine.rekey(kGoesOver, kT);
  (void)tell(at.machine, node(1), at.hello(1, 2), kT);

  EXPECT_FALSE(tell(at.machine, node(3), at.hello(3, 2), kT).freeze);
}

TEST(Rekey, ANodeThatHoldsTheNextKeyGoesOverWithWhoeverDoes) {
  InView at(2);
  (void)at.machine.rekey({.lowest = 0, .highest = 0, .next = 2}, kT);
  EXPECT_EQ(at.machine.key_id_highest(), 0U) << "not by itself";

  const Actions told = tell(at.machine, node(3), at.hello(3, 2), kT);

  EXPECT_EQ(at.machine.key_id_highest(), 2U);
  EXPECT_EQ(sent_hello(told)->key_id_highest, 2U);
  (void)tell(at.machine, node(3), at.hello(3, 7), kT);
  EXPECT_EQ(at.machine.key_id_highest(), 2U) << "one that it does not hold";
}

TEST(Rekey, AnsweringAnAttemptUnderTheNextKeyIsGoingOver) {
  InView at(2);
  (void)at.machine.rekey({.lowest = 0, .highest = 0, .next = 2}, kT);

  const wire::Prepare prepare{
      .attempt = view_id(at.view.sequence + 5, 1), .key_id = 2, .members = nodes({1, 2, 3})};
  EXPECT_TRUE(tell(at.machine, node(1), prepare, kT).freeze);

  EXPECT_EQ(at.machine.key_id_highest(), 2U);
}

TEST(Rekey, AnAttemptUnderAKeyThatIsNotHeldIsNotAnswered) {
  for (const std::uint32_t key_id : {1U, 4U}) {
    Membership machine(with_keys(2, {.lowest = 2, .highest = 2, .next = 3}), 0);
    (void)machine.start(0);
    wire::Hello hello = hello_from(1, nodes({1, 2, 3}));
    hello.key_id_highest = 2;
    (void)tell(machine, node(1), hello, kMillisecond);

    const wire::Prepare prepare{
        .attempt = view_id(5, 1), .key_id = key_id, .members = nodes({1, 2, 3})};
    EXPECT_FALSE(tell(machine, node(1), prepare, kT).freeze) << key_id;

    ASSERT_EQ(machine.rejections().size(), 1U);
    EXPECT_EQ(machine.rejections()[0].reason, Rejection::Reason::KeyId);
  }
}

// Under the older key it would pull everybody back to it.
TEST(Rekey, NobodyComesInWhoCannotGoAlong) {
  Membership machine(with_keys(1, {.lowest = 2, .highest = 2, .next = 0}), 0);
  (void)machine.start(0);
  wire::Hello two = hello_from(2, nodes({1, 2, 3}));
  two.key_id_highest = 2;
  wire::Hello three = hello_from(3, nodes({1, 2, 3}));
  three.key_id_highest = 1;
  (void)tell(machine, node(2), two, kMillisecond);
  (void)tell(machine, node(3), three, kMillisecond);
  ASSERT_EQ(machine.rejections().size(), 1U);
  EXPECT_EQ(machine.rejections()[0], (Rejection{3, Rejection::Reason::KeyId, 2, 1}));

  std::optional<wire::Prepare> prepare;
  for (TimeNs now = 2 * kMillisecond; now < kSecond && !prepare; now += kMillisecond) {
    prepare = sent_prepare(tell(machine, node(2), two, now));
    if (!prepare) prepare = sent_prepare(tell(machine, node(3), three, now));
    if (!prepare) prepare = sent_prepare(machine.on_time(now));
  }

  ASSERT_TRUE(prepare);
  EXPECT_EQ(prepare->members, nodes({1, 2}));
  EXPECT_EQ(prepare->key_id, 2U);
  three.key_id_highest = 2;
  (void)tell(machine, node(3), three, kSecond);
  EXPECT_TRUE(machine.rejections().empty()) << "once it can, it may";
}

TEST(Rekey, WhatWasOfferedIsNotTakenBack) {
  Membership machine(with_keys(1, kOldOnly), 0);
  (void)machine.start(0);

  (void)machine.rekey(kGoesOver, kMillisecond);
  (void)machine.rekey(kBoth, 2 * kMillisecond);

  EXPECT_EQ(machine.key_id_highest(), 2U);
}

TEST(Rekey, TheKeyOfAViewOutlivesAControlPlane) {
  Membership machine(with_keys(1, kGoesOver), 0);
  (void)machine.start(0);
  for (const NodeId peer : {2U, 3U}) {
    wire::Hello hello = hello_from(peer, nodes({1, 2, 3}));
    hello.key_id_highest = 2;
    (void)tell(machine, node(peer), hello, kMillisecond);
  }
  ASSERT_EQ(machine.state(), State::Prepare);
  (void)machine.on_frozen(report_of(machine.attempt()), kMillisecond);
  for (const NodeId peer : {2U, 3U}) {
    (void)tell(machine, node(peer), report_of(machine.attempt()), kMillisecond);
  }
  (void)machine.on_recovered(machine.attempt(), kMillisecond);
  for (const NodeId peer : {2U, 3U}) {
    (void)tell(machine, node(peer), wire::Done{machine.attempt()}, kMillisecond);
  }
  (void)machine.on_installed(machine.attempt(), kMillisecond);
  ASSERT_EQ(machine.view_key_id(), 2U);

  Membership successor(with_keys(1, kBoth), 0);
  ASSERT_TRUE(successor.restore(machine.snapshot(), kT));

  EXPECT_EQ(successor.view_key_id(), 2U);
  EXPECT_EQ(successor.key_id_highest(), 2U) << "its files may be older than the view";
}

TEST(Rekey, IsPartOfATape) {
  InView at(1);
  InView twin(1);
  const Input input = rekeyed(kGoesOver, kT);
  std::vector<std::byte> bytes;
  encode(input, bytes);
  ASSERT_EQ(decode_input(bytes), input);

  EXPECT_EQ(apply(at.machine, input), twin.machine.rekey(kGoesOver, kT));
  EXPECT_FALSE(apply(at.machine, rekeyed({.lowest = 2, .highest = 1, .next = 0}, kT)));
  EXPECT_EQ(Membership::of_image(at.machine.image())->key_id_highest(), 2U);
}

}  // namespace
}  // namespace phalanx::membership
