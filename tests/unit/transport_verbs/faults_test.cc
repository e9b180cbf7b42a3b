#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tests/unit/transport_verbs/fixture.h"

/// What fails while it runs, by cause: what is only counted, what is mended, when, and what is
/// told.
namespace phalanx::transport::verbs {
namespace {

using VerbsFaults = VerbsTransport;

void fail_a_send() {
  ibv_wc failed{};
  failed.status = IBV_WC_LOC_QP_OP_ERR;
  fake::state().send_done.push_back(failed);
}

std::size_t resets() {
  const auto& states = fake::state().states;
  return static_cast<std::size_t>(std::count(states.begin(), states.end(), IBV_QPS_RESET));
}

TEST_F(VerbsFaults, ASendQueueWithoutRoomIsOnlyLoss) {
  start();
  fake::state().post_send_error = ENOMEM;
  send("x", kMembers, 3);
  receive();
  EXPECT_EQ(wire_->counters().tx_refused, 3U);
  EXPECT_EQ(resets(), 0U);
  fake::state().post_send_error = 0;
  send("x", kMembers);
  EXPECT_EQ(fake::state().sent.size(), 1U);
}

TEST_F(VerbsFaults, ASendQueueThatNeverHasRoomIsRebuilt) {
  start();
  fake::state().post_send_error = ENOMEM;
  for (int i = 0; i < 300; ++i) send("x", kMembers);
  receive();
  EXPECT_EQ(resets(), 1U);
}

TEST_F(VerbsFaults, AReceiveQueueWithoutRoomGetsItsBuffersLater) {
  start();
  fake::state().post_recv_error = ENOMEM;
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "one"));
  receive();
  EXPECT_EQ(fake::state().receives.size(), 63U);
  fake::state().post_recv_error = 0;
  receive();
  EXPECT_EQ(fake::state().receives.size(), 64U);
  EXPECT_EQ(resets(), 0U);
}

TEST_F(VerbsFaults, RebuildingWaitsTwiceAsLongEachTime) {
  start();
  std::size_t before = 0;
  for (const TimeNs pause : {TimeNs{0}, 1 * kMillisecond, 2 * kMillisecond, 4 * kMillisecond}) {
    fail_a_send();
    send("x", kMembers);
    if (pause > 0) {
      fake::state().now += pause - 1;
      receive();
      EXPECT_EQ(resets(), before) << "not before " << pause << " ns";
      fake::state().now += 1;
    }
    receive();
    EXPECT_EQ(resets(), ++before) << pause << " ns";
  }
  fake::state().now += 2 * kSecond;
  fail_a_send();
  send("x", kMembers);
  receive();
  EXPECT_EQ(resets(), before + 1) << "what held for long is mended at once";
}

TEST_F(VerbsFaults, ADeviceThatRefusesToResetIsTriedAgain) {
  start();
  fake::state().reset_error = EBUSY;
  fail_a_send();
  send("x", kMembers);
  receive();
  fake::state().now += 2 * kSecond;
  EXPECT_EQ(wire_->ports().up, 0U) << "nothing can be sent";
  fake::state().reset_error = 0;
  receive();
  EXPECT_EQ(wire_->ports().up, 1U);
  EXPECT_EQ(send("x", kMembers, 32), 32U);
}

// The kernel may look for the peer's MAC address for seconds each time.
TEST_F(VerbsFaults, AHandleThatIsRefusedIsAskedForOnceASecond) {
  start();
  const int before = fake::state().handles;
  const auto hear = [this](int frames) {
    for (int i = 0; i < frames; ++i) {
      ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "hello"));
      receive(2);
    }
  };
  fake::state().handle_error = ETIMEDOUT;
  hear(100);
  EXPECT_EQ(fake::state().handles, before + 1);
  fake::state().now += kSecond;
  hear(100);
  EXPECT_EQ(fake::state().handles, before + 2);
  fake::state().handle_error = 0;
  fake::state().now += kSecond;
  hear(1);
  send("abc", kPeer);
  ASSERT_EQ(fake::state().sent.size(), 1U);
  EXPECT_EQ(fake::state().sent[0].queue_pair, 77U);
}

TEST_F(VerbsFaults, APortThatWentDownIsToldAndItsGroupJoinedAgain) {
  start();
  const int joins = fake::state().joins;
  const int attaches = fake::state().attaches;
  fake::state().port.state = IBV_PORT_DOWN;
  fake::state().events.push_back({.type = IBV_EVENT_PORT_ERR, .port = 1});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 0U);
  EXPECT_EQ(fake::state().joins, joins) << "there is nothing to join on";

  fake::state().port.state = IBV_PORT_ACTIVE;
  fake::state().events.push_back({.type = IBV_EVENT_PORT_ACTIVE, .port = 1});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 1U);
  EXPECT_EQ(fake::state().joins, joins + 1);
  EXPECT_EQ(fake::state().attaches, attaches + 1);
}

TEST_F(VerbsFaults, AGroupThatCannotBeJoinedAgainIsTriedUntilItCan) {
  start();
  fake::state().events.push_back({.type = IBV_EVENT_CLIENT_REREGISTER, .port = 1});
  fake::state().join_error = ENODEV;
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 0U);
  fake::state().join_error = 0;
  fake::state().now += 2 * kSecond;
  EXPECT_EQ(wire_->ports().up, 1U);
}

TEST_F(VerbsFaults, EventsOfAnotherPortAreOnlyTakenAway) {
  start();
  const int joins = fake::state().joins;
  fake::state().events.push_back({.type = IBV_EVENT_PORT_ACTIVE, .port = 2});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 1U);
  EXPECT_TRUE(fake::state().events.empty());
  EXPECT_EQ(fake::state().joins, joins);
}

// A frame longer than the MTU is sent "with success" and vanishes.
TEST_F(VerbsFaults, AnMtuThatShrankIsAPortThatCarriesNothing) {
  start();
  EXPECT_STREQ(wire_->ports().driver, "fake0/1 mtu 1024");
  fake::state().port.active_mtu = IBV_MTU_512;
  fake::state().now += 2 * kSecond;
  const TransportPorts ports = wire_->ports();
  EXPECT_EQ(ports.up, 0U);
  EXPECT_STREQ(ports.driver, "fake0/1 mtu 512<1024");
}

TEST_F(VerbsFaults, AnAddressThatWasTakenAwayIsTold) {
  start();
  fake::state().gid.gid = {};
  fake::state().now += 2 * kSecond;
  const TransportPorts ports = wire_->ports();
  EXPECT_EQ(ports.up, 0U);
  EXPECT_STREQ(ports.driver, "fake0/1 lost its address");
}

// Nobody asks a device that is gone ever again: what is told then stays.
TEST_F(VerbsFaults, ADeviceThatIsGoneIsToldAtOnce) {
  start();
  EXPECT_STREQ(wire_->ports().driver, "fake0/1 mtu 1024");
  fake::state().events.push_back({.type = IBV_EVENT_DEVICE_FATAL});
  fake::state().now += 20 * kMillisecond;
  EXPECT_STREQ(wire_->ports().driver, "fake0/1 gone");
}

// The adapter tells a cause once; whoever asks later must still find it.
TEST_F(VerbsFaults, WhatBrokeLastIsKept) {
  start();
  EXPECT_EQ(wire_->ports().troubles, 0U);
  EXPECT_STREQ(wire_->ports().trouble, "");

  ibv_wc failed{};
  failed.status = IBV_WC_LOC_PROT_ERR;
  failed.vendor_err = 0x81;
  fake::state().send_done.push_back(failed);
  failed.status = IBV_WC_WR_FLUSH_ERR;
  fake::state().send_done.push_back(failed);
  send("x", kMembers);
  receive();
  const TimeNs broke = fake::state().now;
  fake::state().now += 10 * kSecond;
  const TransportPorts ports = wire_->ports();
  EXPECT_EQ(ports.up, 1U) << "it is mended";
  EXPECT_STREQ(ports.trouble, "send completed with LOC_PROT_ERR, vendor error 0x81");
  EXPECT_EQ(ports.troubles, 1U) << "those that were flushed are no cause";
  EXPECT_EQ(ports.trouble_at, broke);
}

TEST_F(VerbsFaults, EveryKindOfBreakingIsNamed) {
  start();
  const auto told = [this] {
    fake::state().now += 2 * kSecond;
    receive();
    return std::string(wire_->ports().trouble);
  };
  fake::state().post_send_error = EIO;
  send("x", kMembers);
  fake::state().post_send_error = 0;
  EXPECT_EQ(told(), "ibv_post_send: EIO");
  fake::state().post_recv_error = EINVAL;
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "one"));
  receive();
  fake::state().post_recv_error = 0;
  EXPECT_EQ(told(), "ibv_post_recv: EINVAL");
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, std::string(1025, 'x')));
  EXPECT_EQ(told(), "receive completed with LOC_LEN_ERR, vendor error 0x0");
  fake::state().events.push_back({.type = IBV_EVENT_QP_FATAL});
  EXPECT_EQ(told(), "event QP_FATAL");
  fake::state().reset_error = EBUSY;
  fail_a_send();
  send("x", kMembers);
  EXPECT_EQ(told(), "ibv_modify_qp: EBUSY");
  fake::state().reset_error = 0;
  fake::state().events.push_back({.type = IBV_EVENT_DEVICE_FATAL});
  EXPECT_EQ(told(), "event DEVICE_FATAL: the device is gone");
}

// A peer with another Q_Key is not heard by the adapter at all: only its announcement says so.
TEST_F(VerbsFaults, APeerThatCannotBeHeardIsTold) {
  start();
  Announcement theirs{
      .node = 2, .queue_pair = 22, .qkey = 17, .frame_bytes = 1024, .gid = *gid_of("10.0.0.2")};
  for (int i = 0; i < 3; ++i) fake::announce("10.0.0.2", 5405, theirs);
  EXPECT_STREQ(wire_->ports().trouble, "node 2 announces Q_Key 17, here it is 7911");
  EXPECT_EQ(wire_->ports().troubles, 1U) << "once, however often it is said";
  theirs.qkey = 0x1ee7;
  theirs.frame_bytes = 4096;
  fake::announce("10.0.0.2", 5405, theirs);
  fake::state().now += kSecond;
  EXPECT_STREQ(wire_->ports().trouble, "node 2 announces frame bytes 4096, here it is 1024");
}

TEST_F(VerbsFaults, PeersThatCannotBeHeardAreEachToldOnceAndHideNoBreak) {
  start();
  const auto announce_both = [this](std::uint32_t qkey) {
    for (NodeId node = 2; node <= 3; ++node) {
      const std::string address = "10.0.0." + std::to_string(node);
      fake::announce(address, 5405,
                     {.node = node,
                      .queue_pair = 22,
                      .qkey = qkey,
                      .frame_bytes = 1024,
                      .gid = *gid_of(address)});
    }
    fake::state().now += 20 * kMillisecond;
    return wire_->ports();
  };
  for (int i = 0; i < 10; ++i) (void)announce_both(17);
  EXPECT_EQ(announce_both(17).troubles, 2U);
  for (std::uint32_t i = 0; i < 10; ++i) (void)announce_both(100 + i);
  EXPECT_EQ(announce_both(17).troubles, 2U) << "a forger has no more than one a second";

  fail_a_send();
  send("x", kMembers);
  receive();
  fake::state().now += 2 * kSecond;
  const TransportPorts ports = announce_both(18);
  EXPECT_STREQ(ports.trouble, "send completed with LOC_QP_OP_ERR, vendor error 0x0");
  EXPECT_EQ(ports.troubles, 3U);
}

TEST_F(VerbsFaults, ASleeperIsWokenByAFrameAndNeverMissesOne) {
  start();
  EXPECT_GE(wire_->wait_fd(), 0);
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "early"));
  EXPECT_FALSE(wire_->arm_wait()) << "it came before anybody asked";
  EXPECT_EQ(receive(), std::vector<std::string>{"early"}) << "and was not lost by looking";

  EXPECT_TRUE(wire_->arm_wait());
  EXPECT_EQ(fake::state().arms, 1) << "nothing was told yet: still armed";
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "late"));
  EXPECT_EQ(fake::state().channel_events, 1);
  EXPECT_EQ(receive(), std::vector<std::string>{"late"});
  EXPECT_TRUE(wire_->arm_wait());
  EXPECT_EQ(fake::state().channel_events, 0) << "or the next sleep would be none";
  EXPECT_EQ(fake::state().arms, 2);
}

// The kernel says EPOLLERR of a device's channels for ever once it is gone.
TEST_F(VerbsFaults, ADeviceThatIsGoneKeepsNoSleeperAwake) {
  start();
  fake::state().removed = true;
  fake::state().events.push_back({.type = IBV_EVENT_DEVICE_FATAL});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 0U);
  const std::uint64_t one = 1;
  ASSERT_EQ(write(fake::state().channel_fd, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  epoll_event told{};
  EXPECT_EQ(epoll_wait(wire_->wait_fd(), &told, 1, 0), 0);
  EXPECT_TRUE(wire_->arm_wait()) << "it may sleep";
}

TEST_F(VerbsFaults, OwnCopiesThatComeAsFastAsTheyAreDroppedAreDroppedABurstAtATime) {
  fake::state().own_copies = 10'000;
  start();
  receive();
  EXPECT_EQ(wire_->counters().rx_refused, 32U + 128U);
  while (wire_->counters().rx_refused < 10'000) ASSERT_TRUE(receive().empty());
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "theirs"));
  EXPECT_EQ(receive(), std::vector<std::string>{"theirs"}) << "no buffer was lost";
  EXPECT_EQ(fake::state().receives.size(), 64U);
}

TEST_F(VerbsFaults, OwnCopiesThatWereSeenDoNotKeepASleeperAwake) {
  start();
  EXPECT_TRUE(wire_->arm_wait());
  ASSERT_TRUE(fake::deliver("10.0.0.1", 42, "own"));
  EXPECT_EQ(receive(), std::vector<std::string>{});
  EXPECT_TRUE(wire_->arm_wait());
}

}  // namespace
}  // namespace phalanx::transport::verbs
