#include "transport/verbs/verbs_transport.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/unit/transport_verbs/fixture.h"
#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

// A queue pair gets all that is sent to its group: other workers have others.
TEST_F(VerbsTransport, JoinsTheGroupOfItsWorker) {
  config_.worker = 2;
  start();
  EXPECT_EQ(text(fake::state().joined), "::ffff:239.77.0.3");
}

TEST_F(VerbsTransport, SendsToTheGroupWithOneReportABurst) {
  start();
  EXPECT_EQ(send("abc", kMembers, 3), 3U);
  const auto& sent = fake::state().sent;
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].payload, "abc");
  EXPECT_EQ(sent[0].queue_pair, 0xffffffU);
  EXPECT_EQ(sent[0].flags, static_cast<unsigned>(IBV_SEND_INLINE));
  EXPECT_EQ(sent[2].flags, static_cast<unsigned>(IBV_SEND_INLINE | IBV_SEND_SIGNALED));
}

TEST_F(VerbsTransport, LendsEverySlotAgainOnceItWasReported) {
  start();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(send("x", kMembers, 32), 32U);
  fake::state().holds_sends = true;
  EXPECT_EQ(send("x", kMembers, 32), 32U);
  EXPECT_EQ(send("x", kMembers, 32), 32U);
  EXPECT_EQ(send("x", kMembers, 32), 0U) << "all 64 are on their way";
}

TEST_F(VerbsTransport, LearnsWhereAPeerIsFromAuthenticFramesOnly) {
  start();
  send("early", kPeer);
  EXPECT_TRUE(fake::state().sent.empty());
  EXPECT_EQ(wire_->counters().tx_refused, 1U);
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "hello"));
  receive();
  send("unproven", kPeer);
  EXPECT_TRUE(fake::state().sent.empty());
  for (const std::uint32_t queue_pair : {77U, 78U, 79U, 79U}) {
    ASSERT_TRUE(fake::deliver("10.0.0.2", queue_pair, "hello"));
    EXPECT_EQ(receive(2), std::vector<std::string>{"hello"});
    send("direct", kPeer);
    EXPECT_EQ(fake::state().sent.back().queue_pair, queue_pair);
  }
}

// Whoever holds the cluster key may relay frames; answers go to the node itself all the same.
TEST_F(VerbsTransport, LearnsNothingFromAFrameThatComesFromAnotherAddress) {
  start();
  ASSERT_TRUE(fake::deliver("10.0.0.9", 77, "relayed"));
  EXPECT_EQ(receive(2), std::vector<std::string>{"relayed"});
  EXPECT_EQ(wire_->counters().rx_refused, 1U);
  send("to 2", kPeer);
  EXPECT_TRUE(fake::state().sent.empty());
}

TEST_F(VerbsTransport, DropsItsOwnCopiesButNotThoseOfAQueuePairWithItsNumber) {
  start();
  ASSERT_TRUE(fake::deliver("10.0.0.1", 42, "own"));
  ASSERT_TRUE(fake::deliver("10.0.0.2", 42, "theirs"));
  EXPECT_EQ(receive(), std::vector<std::string>{"theirs"});
  EXPECT_EQ(wire_->counters().rx_refused, 1U);
  EXPECT_EQ(fake::state().receives.size(), 64U) << "both buffers are posted again";
}

TEST_F(VerbsTransport, RefusesWhatThePathWouldSwallow) {
  start();
  EXPECT_EQ(wire_->limits().frame_bytes_max, 1024U);
  EXPECT_EQ(wire_->limits().rx_ring_frames, 32U) << "own copies take the other half";
  std::array<TxFrame, 1> frame;
  ASSERT_EQ(wire_->tx_alloc(frame), 1U);
  frame[0].length = 1025;
  wire_->tx_burst(frame);
  EXPECT_TRUE(fake::state().sent.empty());
  EXPECT_EQ(wire_->counters().tx_refused, 1U);
}

TEST_F(VerbsTransport, RebuildsTheQueuePairAfterAFailedSend) {
  start();
  fake::state().holds_sends = true;
  ASSERT_EQ(send("lost", kMembers, 2), 2U);
  ibv_wc failed{};
  failed.wr_id = 2;
  failed.status = IBV_WC_WR_FLUSH_ERR;
  fake::state().send_done.push_back(failed);
  fake::state().states.clear();
  fake::state().holds_sends = false;
  send("into the broken one", kMembers);
  EXPECT_EQ(fake::state().sent.size(), 2U);
  receive();
  EXPECT_EQ(fake::state().states,
            (std::vector<ibv_qp_state>{IBV_QPS_RESET, IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}));
  EXPECT_EQ(fake::state().receives.size(), 64U);
  EXPECT_EQ(send("again", kMembers, 32), 32U);
  EXPECT_EQ(send("again", kMembers, 32), 32U) << "no slot was lost";
}

TEST_F(VerbsTransport, KeepsLentFramesThroughARebuilding) {
  start();
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "kept"));
  std::array<RxFrame, 1> kept;
  ASSERT_EQ(wire_->rx_burst(kept), 1U);
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, std::string(1025, 'x')));  // Fails: too long.
  receive();
  receive();
  EXPECT_EQ(fake::state().receives.size(), 63U) << "all but the lent one";
  EXPECT_EQ(std::memcmp(kept[0].bytes.data(), "kept", 4), 0);
  wire_->rx_release(kept);
  EXPECT_EQ(fake::state().receives.size(), 64U);
}

TEST_F(VerbsTransport, CountsWhatAFailingPostDidNotTake) {
  start();
  fake::state().post_send_error = ENOMEM;
  fake::state().post_send_taken = 1;
  send("x", kMembers, 3);
  EXPECT_EQ(wire_->counters().tx_frames, 1U);
  EXPECT_EQ(wire_->counters().tx_refused, 2U);
  fake::state().post_send_error = 0;
  receive();
  EXPECT_EQ(send("x", kMembers, 32), 32U);
  EXPECT_EQ(send("x", kMembers, 32), 32U);
}

TEST_F(VerbsTransport, SaysThatTheDeviceIsGone) {
  start();
  EXPECT_EQ(wire_->ports().up, 1U);
  fake::state().removed = true;
  fake::state().events.push_back({.type = IBV_EVENT_DEVICE_FATAL});
  fake::state().now += kSecond;
  EXPECT_EQ(wire_->ports().up, 0U);
  fake::state().post_send_error = EIO;
  send("x", kMembers);
  fake::state().states.clear();
  EXPECT_EQ(receive(), std::vector<std::string>{});
  EXPECT_TRUE(fake::state().states.empty()) << "and it is not tried again";
}

TEST_F(VerbsTransport, TakesTheFrameThatEveryPathOfThatMtuCarries) {
  EXPECT_EQ(frame_bytes_of(1500), 1024U);
  EXPECT_EQ(frame_bytes_of(4200), 4096U);
  EXPECT_EQ(frame_bytes_of(9216), 4096U);
  EXPECT_EQ(frame_bytes_of(300), 0U);
}

TEST_F(VerbsTransport, SendsWithoutInliningWhereTheDeviceCannot) {
  fake::state().inline_most = 0;
  start();
  send("abc", kMembers);
  EXPECT_EQ(fake::state().sent[0].flags, static_cast<unsigned>(IBV_SEND_SIGNALED));
}

TEST_F(VerbsTransport, NamesWhatItReadAndHowToMendIt) {
  const auto says = [this](auto change, const std::string& observed, const std::string& remedy) {
    const VerbsConfig before = config_;
    fake::reset();
    change(fake::state());
    const std::string told = refusal();
    EXPECT_NE(told.find(observed), std::string::npos) << told;
    EXPECT_NE(told.find(remedy), std::string::npos) << told;
    EXPECT_EQ(fake::state().alive, 0) << told;
    config_ = before;
  };
  says([](auto& s) { s.devices = 0; }, "lists none", "rdma link add rxe0");
  says([this](auto&) { config_.device = "mlx5_9"; }, "there are: fake0", "name one of these");
  says([](auto& s) { s.open_error = EACCES; }, "EACCES", "/dev/infiniband/uverbs");
  says([this](auto&) { config_.nodes[0].address = "10.0.0.9"; }, "::ffff:10.0.0.1",
       "ip address add");
  says([](auto& s) { s.gid.gid_type = IBV_GID_TYPE_ROCE_V1; }, "10.0.0.1", "ip address add");
  says([](auto& s) { s.port.state = IBV_PORT_DOWN; }, "state is 1", "ip link set");
  says([](auto& s) { s.devices = 2; }, "several carry it: fake0/1 fake1/1",
       "transport.verbs.device and transport.verbs.port");
  says([this](auto&) { config_.pkey = 0x8001; }, "0x8001", "leave the key out");
  says([](auto& s) { s.pkey = 0x7fff; }, "a limited member", "full members");
  says([this](auto&) { config_.qkey = 0x80000001; }, "upper bit is set", "transport.verbs.qkey");
  says([this](auto&) { config_.port = 2; }, "1/3 ::ffff:10.0.0.1", "transport.verbs.port");
  says([this](auto&) { config_.gid_index = 0; }, "1/3 ::ffff:10.0.0.1", ".gid_index");
  says([this](auto&) { config_.frame_bytes = 1500; }, "path MTU of 1024", "transport.mtu");
  says([](auto& s) { s.limits.max_mcast_grp = 0; }, "max_mcast_grp is 0", "another device");
  says([](auto& s) { s.register_error = ENOMEM; }, "RLIMIT_MEMLOCK is", "LimitMEMLOCK");
  says([](auto& s) { s.create_error = ENOMEM; }, "ibv_create_qp", "rdma resource");
  says([](auto& s) { s.modify_error = EINVAL; }, "ibv_modify_qp", "rdma resource");
  says([](auto& s) { s.join_error = ENOBUFS; }, "setsockopt", "igmp_max_memberships");
  says([](auto& s) { s.attach_error = ENOMEM; }, "ibv_attach_mcast", "max_mcast_qp_attach");
  says([this](auto&) { config_.group = "10.0.0.7"; }, "none of the family", "239.77.0.1");
  says([this](auto&) { config_.service_level = 16; }, "service level 16", "15 or less");
  says([this](auto&) { config_.depth = 8; }, "depth 8", "64 or more");
}

}  // namespace
}  // namespace phalanx::transport::verbs
