#include <algorithm>
#include <cerrno>

#include "tests/unit/transport_verbs/fixture.h"

/// Without multicast: a copy for each, to where nodes say by the kernel's UDP that they are.
namespace phalanx::transport::verbs {
namespace {

constexpr Destination kEveryone{.kind = Destination::Kind::Everyone};

class VerbsCopies : public VerbsTransport {
 protected:
  VerbsCopies() { config_.group.clear(); }

  static Announcement of(NodeId node, std::uint32_t queue_pair) {
    return {.node = node,
            .queue_pair = queue_pair,
            .qkey = 0x1ee7,
            .frame_bytes = 1024,
            .gid = *gid_of("10.0.0." + std::to_string(node))};
  }
  void hear(const std::string& from, const Announcement& what, std::uint16_t port = 5405) {
    fake::announce(from, port, what);
    fake::state().now += kSecond;
    (void)wire_->ports();
  }
  void hear_both() {
    hear("10.0.0.2", of(2, 22));
    hear("10.0.0.3", of(3, 33));
  }
  static std::vector<std::uint32_t> receivers() {
    std::vector<std::uint32_t> out;
    for (const fake::Sent& one : fake::state().sent) out.push_back(one.queue_pair);
    return out;
  }
};

using Numbers = std::vector<std::uint32_t>;

TEST_F(VerbsCopies, JoinNothingAndHaveTheWholeReceiveQueue) {
  fake::state().limits.max_mcast_grp = 0;
  start();
  EXPECT_EQ(fake::state().joins + fake::state().attaches, 0);
  EXPECT_EQ(wire_->limits().rx_ring_frames, 64U) << "no own copies come back";
  EXPECT_EQ(fake::state().sends_most, 128U) << "two of each frame";
}

TEST_F(VerbsCopies, GoToEveryPeerThatAnnouncedItself) {
  start();
  EXPECT_EQ(send("early", kEveryone), 1U);
  EXPECT_TRUE(fake::state().sent.empty());
  EXPECT_EQ(wire_->counters().tx_refused, 0U) << "nobody is there yet: no loss";

  hear_both();
  send("abc", kEveryone, 2);
  EXPECT_EQ(receivers(), (Numbers{22, 33, 22, 33}));
  EXPECT_EQ(wire_->counters().tx_frames, 4U);
  EXPECT_EQ(wire_->counters().tx_bytes, 12U);
  EXPECT_EQ(fake::state().sent.back().flags,
            static_cast<unsigned>(IBV_SEND_INLINE | IBV_SEND_SIGNALED));
}

TEST_F(VerbsCopies, OfMembersGoToMembersOnly) {
  start();
  hear_both();
  send("none", kMembers);
  EXPECT_TRUE(fake::state().sent.empty());
  const std::array<NodeId, 2> members = {1, 3};
  wire_->set_members(members);
  send("abc", kMembers);
  EXPECT_EQ(receivers(), Numbers{33});
}

TEST_F(VerbsCopies, FreeTheirBufferWithTheLastOne) {
  start();
  hear_both();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(send("x", kEveryone, 32), 32U) << i;
  fake::state().holds_sends = true;
  EXPECT_EQ(send("x", kEveryone, 32), 32U);
  EXPECT_EQ(send("x", kEveryone, 32), 32U);
  EXPECT_EQ(send("x", kEveryone, 32), 0U) << "all 64 are on their way, twice each";
}

// The device may hold less than all copies of all buffers.
TEST_F(VerbsCopies, AreNeverMoreThanTheQueueHolds) {
  fake::state().limits.max_qp_wr = 64;
  start();
  hear_both();
  fake::state().holds_sends = true;
  EXPECT_EQ(send("x", kEveryone, 32), 32U);
  EXPECT_EQ(send("x", kEveryone, 32), 0U);
  EXPECT_EQ(fake::state().sent.size(), 64U);
}

TEST_F(VerbsCopies, KeepABufferWhoseFirstCopiesWereTaken) {
  start();
  hear_both();
  for (std::size_t taken = 0; taken < 8; ++taken) {
    fake::state().post_send_error = ENOMEM;
    fake::state().post_send_taken = taken;
    send("x", kEveryone, 4);
    fake::state().post_send_error = 0;
    fake::state().now += 2 * kSecond;
    receive();
    ASSERT_EQ(send("x", kEveryone, 32), 32U);
    ASSERT_EQ(send("x", kEveryone, 32), 32U) << "no slot was lost or given twice, " << taken;
    ASSERT_EQ(send("x", kEveryone, 32), 32U);
  }
}

TEST_F(VerbsCopies, ThatFailedAreRebuiltWithoutLosingABuffer) {
  start();
  hear_both();
  fake::state().post_send_error = EIO;
  fake::state().post_send_taken = 33 - 32;
  send("x", kEveryone, 32);
  fake::state().post_send_error = 0;
  receive();
  EXPECT_EQ(send("x", kEveryone, 32), 32U);
  EXPECT_EQ(send("x", kEveryone, 32), 32U);
}

TEST_F(VerbsCopies, AskWhoWasNeverHeardAndAnswerWhoAsks) {
  start();
  (void)wire_->ports();
  auto& told = fake::state().told;
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(text(told[0].to), "::ffff:10.0.0.2");
  const auto said = decode(told[0].bytes);
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->asks);
  EXPECT_EQ(said->node, 1U);
  EXPECT_EQ(said->queue_pair, 42U);

  Announcement asking = of(3, 33);
  asking.asks = true;
  told.clear();
  fake::announce("10.0.0.3", 5405, asking);
  fake::state().now += 20 * kMillisecond;
  (void)wire_->ports();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(text(told[0].to), "::ffff:10.0.0.3");
  EXPECT_FALSE(decode(told[0].bytes)->asks) << "or two nodes would answer for ever";
}

TEST_F(VerbsCopies, NobodyIsAskedOnceFramesOfAllWereAuthentic) {
  start();
  ASSERT_TRUE(fake::deliver("10.0.0.2", 22, "hello"));
  receive(2);
  ASSERT_TRUE(fake::deliver("10.0.0.3", 33, "hello"));
  receive(3);
  fake::state().now += kSecond;
  (void)wire_->ports();
  EXPECT_TRUE(fake::state().told.empty());
}

TEST_F(VerbsCopies, AnAuthenticFrameIsBelievedBeforeAnyAnnouncement) {
  start();
  hear("10.0.0.2", of(2, 22));
  ASSERT_TRUE(fake::deliver("10.0.0.2", 77, "hello"));
  receive(2);
  hear("10.0.0.2", of(2, 22));
  send("abc", kPeer);
  EXPECT_EQ(receivers(), Numbers{77});
}

TEST_F(VerbsCopies, AnnouncementsFromElsewhereTeachNothing) {
  start();
  hear("10.0.0.9", of(2, 22));
  hear("10.0.0.2", of(2, 22), 5406);
  hear("10.0.0.3", of(2, 22));
  hear("10.0.0.9", of(9, 22));
  Announcement elsewhere = of(2, 22);
  elsewhere.gid = *gid_of("10.0.0.9");
  hear("10.0.0.2", elsewhere);
  send("abc", kEveryone);
  EXPECT_TRUE(fake::state().sent.empty());
}

// Each new place is a system call.
TEST_F(VerbsCopies, AFloodOfAnnouncementsMakesOneHandleASecond) {
  start();
  const int before = fake::state().handles;
  for (std::uint32_t i = 0; i < 1000; ++i) fake::announce("10.0.0.2", 5405, of(2, 100 + i));
  for (int i = 0; i < 40; ++i) {
    fake::state().now += 20 * kMillisecond;
    (void)wire_->ports();
  }
  EXPECT_EQ(fake::state().handles, before + 1);
  EXPECT_TRUE(fake::state().datagrams.empty());
}

TEST_F(VerbsCopies, AnnouncementsAreWholeAndInRangeOrNothing) {
  const Announcement whole = of(2, 22);
  const auto good = encode(whole);
  ASSERT_TRUE(decode(good));
  EXPECT_EQ(decode(good)->queue_pair, 22U);
  EXPECT_EQ(decode(good)->frame_bytes, 1024U);
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
    EXPECT_FALSE(decode(std::span(good).first(bytes))) << bytes;
  }
  std::vector<std::byte> longer(good.begin(), good.end());
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode(longer));
  for (const std::size_t at : {0UL, 3UL, 4UL, 5UL}) {
    auto bad = good;
    bad[at] ^= std::byte{0x80};
    EXPECT_FALSE(decode(bad)) << at;
  }
  for (const std::uint32_t number : {0U, 1U, 0xffffffU, 0xffffffffU}) {
    EXPECT_FALSE(decode(encode(of(2, number)))) << number;
  }
  Announcement bad = whole;
  bad.node = 0;
  EXPECT_FALSE(decode(encode(bad)));
  bad = whole;
  bad.frame_bytes = 4097;
  EXPECT_FALSE(decode(encode(bad)));
}

TEST_F(VerbsCopies, APortThatSomebodyElseHasIsTold) {
  fake::state().bind_error = EADDRINUSE;
  const std::string told = refusal();
  EXPECT_NE(told.find("UDP port 5405 of 10.0.0.1"), std::string::npos) << told;
  EXPECT_NE(told.find("ss -uap"), std::string::npos) << told;
}

}  // namespace
}  // namespace phalanx::transport::verbs
