#include <algorithm>
#include <cerrno>

#include "tests/unit/transport_verbs/fixture.h"

/// InfiniBand's own link layer: LIDs, the subnet manager's groups, partitions, IPoIB addresses.
namespace phalanx::transport::verbs {
namespace {

class VerbsInfiniBand : public VerbsTransport {
 protected:
  VerbsInfiniBand() { fake::be_infiniband(); }

  static Announcement of(NodeId node, std::uint32_t queue_pair, std::uint16_t lid,
                         const std::string& gid) {
    return {.node = node,
            .queue_pair = queue_pair,
            .qkey = 0x1ee7,
            .frame_bytes = 1024,
            .lid = lid,
            .gid = *gid_of(gid)};
  }
  void hear(const std::string& from, const Announcement& what) {
    fake::announce(from, 5405, what);
    fake::state().now += kSecond;
    (void)wire_->ports();
  }
  std::string refused_by(void (*change)(fake::State&)) {
    fake::reset();
    fake::be_infiniband();
    change(fake::state());
    return refusal();
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(VerbsInfiniBand, JoinsWhereTheSubnetManagerPutsTheGroup) {
  start();
  const auto& attached = fake::state().attached;
  ASSERT_EQ(attached.size(), 1U);
  EXPECT_EQ(text(attached[0].gid), "ff12::77");
  EXPECT_EQ(attached[0].mlid, 0xc003);
  EXPECT_EQ(fake::state().joins, 0) << "nothing to join at IP level";
  const ibv_ah_attr& way = fake::state().ways.at(0);
  EXPECT_EQ(way.dlid, 0xc003);
  EXPECT_EQ(way.sl, 3) << "the manager's, not ours";
  EXPECT_EQ(way.is_global, 1);
  EXPECT_EQ(text(way.grh.dgid), "ff12::77");
  send("abc", kMembers);
  EXPECT_EQ(fake::state().sent.at(0).queue_pair, 0xffffffU);
  EXPECT_EQ(wire_->ports().up, 1U);
}

TEST_F(VerbsInfiniBand, APeerIsAtTheGidThatItsAddressAnnounces) {
  config_.service_level = 5;
  start();
  ASSERT_TRUE(fake::deliver("fe80::2", 22, "early", 12));
  receive(2);
  send("abc", kPeer);
  EXPECT_TRUE(fake::state().sent.empty()) << "whose GID that is nobody said yet";

  hear("10.0.0.2", of(2, 22, 12, "fe80::2"));
  send("abc", kPeer);
  ASSERT_EQ(fake::state().sent.size(), 1U);
  EXPECT_EQ(fake::state().sent[0].queue_pair, 22U);
  const ibv_ah_attr& way = fake::state().ways.back();
  EXPECT_EQ(way.dlid, 12);
  EXPECT_EQ(way.sl, 5);
  EXPECT_EQ(text(way.grh.dgid), "fe80::2");

  ASSERT_TRUE(fake::deliver("fe80::9", 99, "relayed", 13));
  receive(2);
  EXPECT_EQ(fake::state().ways.back().dlid, 12) << "authentic, but from elsewhere";
}

// Anybody can forge the sender of a datagram.
TEST_F(VerbsInfiniBand, AProvenPeerMovesToAnotherGidByAnAuthenticFrameOnly) {
  start();
  hear("10.0.0.2", of(2, 22, 12, "fe80::2"));
  ASSERT_TRUE(fake::deliver("fe80::2", 22, "hello", 12));
  receive(2);
  const int handles = fake::state().handles;
  for (std::uint16_t i = 0; i < 5; ++i) hear("10.0.0.2", of(2, 66, 20 + i, "fe80::66"));
  EXPECT_EQ(fake::state().handles, handles);
  send("abc", kPeer);
  EXPECT_EQ(fake::state().sent.back().queue_pair, 22U) << "where it was proven";
  ASSERT_TRUE(fake::deliver("fe80::2", 22, "still here", 12));
  receive(2);
  EXPECT_EQ(wire_->counters().rx_refused, 0U);

  hear("10.0.0.2", of(2, 77, 30, "fe80::77"));
  ASSERT_TRUE(fake::deliver("fe80::77", 77, "moved", 30));
  receive(2);
  send("abc", kPeer);
  EXPECT_EQ(fake::state().sent.back().queue_pair, 77U);
  EXPECT_EQ(text(fake::state().ways.back().grh.dgid), "fe80::77");
}

TEST_F(VerbsInfiniBand, FollowsAPeerToItsNewLid) {
  start();
  hear("10.0.0.2", of(2, 22, 12, "fe80::2"));
  ASSERT_TRUE(fake::deliver("fe80::2", 22, "hello", 14));
  receive(2);
  EXPECT_EQ(fake::state().ways.back().dlid, 14);
}

TEST_F(VerbsInfiniBand, TellsEverybodyItsOwnLidWhenThatChanges) {
  start();
  (void)wire_->ports();
  ASSERT_FALSE(fake::state().told.empty());
  EXPECT_EQ(decode(fake::state().told.back().bytes)->lid, 9);
  EXPECT_EQ(text(decode(fake::state().told.back().bytes)->gid), "fe80::1");
  fake::state().told.clear();
  fake::state().port.lid = 10;
  fake::state().cm_answers.push_back(fake::granted(0xc003));
  fake::state().events.push_back({.type = IBV_EVENT_LID_CHANGE, .port = 1});
  fake::state().now += 20 * kMillisecond;
  (void)wire_->ports();
  ASSERT_GE(fake::state().told.size(), 2U);
  EXPECT_EQ(decode(fake::state().told[0].bytes)->lid, 10);
}

// A subnet manager that gives new LIDs gives them to all: by copies no frame finds its way any
// more.
TEST_F(VerbsInfiniBand, FindsAProvenPeerAgainByItsAnnouncementWhenBothLidsChanged) {
  config_.group.clear();
  start();
  hear("10.0.0.2", of(2, 22, 12, "fe80::2"));
  ASSERT_TRUE(fake::deliver("fe80::2", 22, "hello", 12));
  receive(2);
  hear("10.0.0.2", of(2, 22, 66, "fe80::2"));
  EXPECT_EQ(fake::state().ways.back().dlid, 12)
      << "frames said better, while only it tells of moving";

  fake::state().port.lid = 10;
  fake::state().events.push_back({.type = IBV_EVENT_LID_CHANGE, .port = 1});
  fake::state().now += kSecond;
  fake::state().told.clear();
  (void)wire_->ports();
  const auto asked = std::count_if(fake::state().told.begin(), fake::state().told.end(),
                                   [](const auto& one) { return decode(one.bytes)->asks; });
  EXPECT_EQ(asked, 2) << "the one that was proven, too";
  const int handles = fake::state().handles;
  hear("10.0.0.2", of(2, 66, 20, "fe80::66"));
  EXPECT_EQ(fake::state().handles, handles) << "its GID was proven";
  hear("10.0.0.2", of(2, 22, 14, "fe80::2"));
  EXPECT_EQ(fake::state().ways.back().dlid, 14);
}

TEST_F(VerbsInfiniBand, DropsItsOwnCopies) {
  start();
  ASSERT_TRUE(fake::deliver("fe80::1", 42, "own", 9));
  ASSERT_TRUE(fake::deliver("fe80::2", 42, "theirs", 12));
  EXPECT_EQ(receive(), std::vector<std::string>{"theirs"});
}

// The manager may have forgotten the group, and may put it elsewhere.
TEST_F(VerbsInfiniBand, JoinsAgainWhereANewSubnetManagerPutsTheGroup) {
  start();
  fake::state().events.push_back({.type = IBV_EVENT_CLIENT_REREGISTER, .port = 1});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 1U) << "asked, and not answered yet";
  EXPECT_EQ(fake::state().cm_leaves, 1);
  EXPECT_EQ(fake::state().cm_joins, 2);

  fake::state().cm_answers.push_back(fake::granted(0xc007));
  fake::state().now += kSecond;
  EXPECT_EQ(wire_->ports().up, 1U);
  EXPECT_EQ(fake::state().attached.back().mlid, 0xc007);
  EXPECT_EQ(fake::state().ways.back().dlid, 0xc007);
  EXPECT_EQ(fake::state().cm_joins, 2) << "asked once";
}

// All nodes ask at the same time, and none of them has lost its link.
TEST_F(VerbsInfiniBand, AManagerThatSaysNothingIsAPortThatIsDownAfterTwoSeconds) {
  start();
  fake::state().events.push_back({.type = IBV_EVENT_SM_CHANGE, .port = 1});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 1U);
  fake::state().now += kSecond;
  fake::state().events.push_back({.type = IBV_EVENT_CLIENT_REREGISTER, .port = 1});
  EXPECT_EQ(wire_->ports().up, 1U);
  fake::state().now += kSecond - 1;
  EXPECT_EQ(wire_->ports().up, 1U);
  fake::state().now += 1;
  EXPECT_EQ(wire_->ports().up, 0U) << "since the first time";
  fake::state().cm_answers.push_back(fake::granted(0xc003));
  fake::state().now += 2 * kSecond;
  EXPECT_EQ(wire_->ports().up, 1U);
}

TEST_F(VerbsInfiniBand, APortThatWasDownIsSoUntilTheManagerAnswers) {
  start();
  fake::state().events.push_back({.type = IBV_EVENT_PORT_ERR, .port = 1});
  fake::state().events.push_back({.type = IBV_EVENT_PORT_ACTIVE, .port = 1});
  fake::state().now += 20 * kMillisecond;
  EXPECT_EQ(wire_->ports().up, 0U) << "between two looks";
  fake::state().cm_answers.push_back(fake::granted(0xc003));
  fake::state().now += kSecond;
  EXPECT_EQ(wire_->ports().up, 1U);
}

TEST_F(VerbsInfiniBand, AsksAgainAManagerThatRefusesOrSaysNothing) {
  start();
  fake::state().events.push_back({.type = IBV_EVENT_SM_CHANGE, .port = 1});
  fake::state().now += 20 * kMillisecond;
  (void)wire_->ports();
  fake::state().cm_answers.push_back({.error = -22, .group = {}});
  fake::state().now += kSecond;
  EXPECT_EQ(wire_->ports().up, 0U);
  fake::state().now += 2 * kSecond;
  (void)wire_->ports();
  EXPECT_EQ(fake::state().cm_joins, 3) << "after a refusal";
  fake::state().now += 6 * kSecond;
  (void)wire_->ports();
  EXPECT_EQ(fake::state().cm_joins, 4) << "after five seconds of silence";
  fake::state().cm_answers.push_back(fake::granted(0xc003));
  fake::state().now += 2 * kSecond;
  EXPECT_EQ(wire_->ports().up, 1U);
}

TEST_F(VerbsInfiniBand, SendsCopiesWhereTheManagerHasNoGroups) {
  config_.group.clear();
  fake::state().cm_answers.clear();
  start();
  hear("10.0.0.2", of(2, 22, 12, "fe80::2"));
  hear("10.0.0.3", of(3, 33, 13, "fe80::3"));
  send("abc", {.kind = Destination::Kind::Everyone});
  ASSERT_EQ(fake::state().sent.size(), 2U);
  EXPECT_EQ(fake::state().cm_joins, 0);
}

TEST_F(VerbsInfiniBand, AnnouncementsOfAnotherLinkLayerTeachNothing) {
  start();
  hear("10.0.0.2", of(2, 22, 0, "fe80::2"));
  send("abc", kPeer);
  EXPECT_TRUE(fake::state().sent.empty());
  EXPECT_FALSE(decode(encode(of(2, 22, 0xc001, "fe80::2")))) << "a group's LID";
}

TEST_F(VerbsInfiniBand, NamesWhatItReadAndHowToMendIt) {
  std::string told = refused_by([](auto& s) { s.cm_error = ENODEV; });
  EXPECT_TRUE(has(told, "fe80::1 (InfiniBand)")) << told;
  EXPECT_TRUE(has(told, "ib_ipoib")) << told;
  told = refused_by([](auto& s) { s.cm_error = ENOSYS; });
  EXPECT_TRUE(has(told, "librdmacm")) << told;
  told = refused_by([](auto& s) { s.port.state = IBV_PORT_INIT; });
  EXPECT_TRUE(has(told, "its state is 2")) << told;
  EXPECT_TRUE(has(told, "opensm")) << told;
  told = refused_by([](auto& s) { s.cm_place.pkey = 0x8001; });
  EXPECT_TRUE(has(told, "is in partition 0x8001")) << told;
  EXPECT_TRUE(has(told, "transport.verbs.pkey")) << told;
  told = refused_by([](auto& s) { s.pkey = 0x7fff; });
  EXPECT_TRUE(has(told, "limited member")) << told;
  told = refused_by([](auto& s) { s.cm_join_error = EACCES; });
  EXPECT_TRUE(has(told, "rdma_join_multicast")) << told;
  told = refused_by([](auto& s) { s.cm_answers.clear(); });
  EXPECT_TRUE(has(told, "did not answer in 5 s")) << told;
  EXPECT_TRUE(has(told, "to send copies")) << told;
  told = refused_by([](auto& s) { s.cm_answers.front().error = -110; });
  EXPECT_TRUE(has(told, "refused, status -110")) << told;
  EXPECT_TRUE(has(told, "sminfo")) << told;
  EXPECT_EQ(fake::state().alive, 0);
}

TEST_F(VerbsInfiniBand, TakesTheInterfacesPartition) {
  config_.pkey = 0x8001;
  fake::state().cm_place.pkey = 0x8001;
  fake::state().pkey = 0x8001;
  start();
  EXPECT_EQ(wire_->ports().up, 1U);
}

TEST_F(VerbsInfiniBand, AnotherDeviceOrPortThanTheAddressesIsRefused) {
  config_.port = 2;
  EXPECT_TRUE(has(refusal(), "leave transport.verbs.device, .port and .gid_index out"));
  config_.port = 1;
  config_.device = "fake0";
  start();
  EXPECT_EQ(wire_->ports().up, 1U);
}

}  // namespace
}  // namespace phalanx::transport::verbs
