#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/transport_parts/three_nodes.h"
#include "tests/unit/transport_shm/nodes.h"

namespace phalanx::transport::shm {
namespace {

class Shm : public testing::Test {
 protected:
  void SetUp() override {
    for (NodeId node = 1; node <= 3; ++node) {
      three_.nodes.push_back(open_node(directory_.path(), node, 3));
      ASSERT_NE(three_.nodes.back(), nullptr);
    }
    ASSERT_TRUE(turn_until([this] { return three_.all_hear_all(); })) << "a link did not come up";
  }

  TemporaryDirectory directory_;
  ThreeNodes three_;
};

TEST_F(Shm, BringsAFrameToThePeerNamed) { brings_a_frame_to_the_peer_named(three_); }
TEST_F(Shm, BringsAFrameForMembersToMembers) { brings_a_frame_for_members_to_members(three_); }
TEST_F(Shm, CarriesTheLongestFrameInOnePiece) { carries_the_longest_frame(three_); }
TEST_F(Shm, DropsWhatDoesNotFitTheRingAndGoesOn) { drops_what_does_not_fit(three_); }
TEST_F(Shm, TakesBackFramesThatWereLentAndNotSent) { takes_back_what_was_lent(three_); }

// The receivers' bytes are the sender's: nothing is copied on the way.
TEST_F(Shm, LendsFramesWhereTheirSenderWroteThem) {
  std::array<TxFrame, 1> lent;
  ASSERT_EQ(three_.node(1).tx_alloc(lent), 1u);
  std::byte* const written = lent[0].bytes.data();
  written[0] = std::byte{1};
  lent[0].length = 1;
  lent[0].to = {.kind = Destination::Kind::Peer, .peer = 2};
  three_.node(1).tx_burst(lent);
  std::array<RxFrame, 4> received;
  ASSERT_EQ(three_.node(2).rx_burst(received), 1u);

  written[0] = std::byte{2};

  EXPECT_EQ(received[0].bytes[0], std::byte{2});
  three_.node(2).rx_release(std::span(received).first(1));
}

// A slot is lent again only when the last of the peers has given it back.
TEST_F(Shm, KeepsAFrameUntilEverybodyGaveItBack) {
  send(three_.node(1), {frame_of(1, 900)}, {.kind = Destination::Kind::Everyone});
  std::array<RxFrame, 4> slow;
  ASSERT_EQ(three_.node(2).rx_burst(slow), 1u);
  (void)receive(three_.node(3));

  for (std::size_t i = 0; i < 5000; ++i) {
    send(three_.node(1), {frame_of(2 + i, 900)}, {.kind = Destination::Kind::Peer, .peer = 3});
    (void)receive(three_.node(3));
  }

  EXPECT_EQ(Bytes(slow[0].bytes.begin(), slow[0].bytes.end()), frame_of(1, 900));
  three_.node(2).rx_release(std::span(slow).first(1));
}

TEST_F(Shm, RefusesASecondNodeOfTheSameId) {
  const auto second = open(config_of(directory_.path(), 2, 3));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ExitCode::Usage);
  EXPECT_NE(second.error().attempted.find("2.sock"), std::string::npos);
  EXPECT_NE(second.error().remedy.find("node.id"), std::string::npos);
}

TEST_F(Shm, LeavesNothingBehind) {
  three_.nodes.clear();

  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/shm"));
}

TEST_F(Shm, LinksComeBackWhenANodeComesBack) {
  for (const NodeId back : {NodeId{3}, NodeId{1}, NodeId{2}, NodeId{1}}) {
    three_.nodes[back - 1U].reset();
    three_.nodes[back - 1U] = open_node(directory_.path(), back, 3);
    ASSERT_TRUE(turn_until([this] { return three_.all_hear_all(); })) << back;
  }
}

TEST(ShmStart, NodesOfDifferentFramesDoNotLinkAndSaySo) {
  const TemporaryDirectory directory;
  const auto one = open_node(directory.path(), 1, 2);
  auto config = config_of(directory.path(), 2, 2);
  config.frame_bytes = 9000;
  const auto two = open(config);
  ASSERT_NE(one, nullptr);
  ASSERT_TRUE(two);

  ASSERT_TRUE(
      turn_until([&] { return one->ports().troubles > 0 && (*two)->ports().troubles > 0; }));

  EXPECT_NE(std::string(one->ports().trouble).find("transport.mtu"), std::string::npos);
  EXPECT_NE(std::string((*two)->ports().trouble).find("transport.mtu"), std::string::npos);
  (void)receive(*one);
  EXPECT_EQ(one->ports().up, 0u);
}

TEST(ShmStart, RefusesAPathThatNoSocketCanHave) {
  const auto tried = open(config_of("/tmp/" + std::string(120, 'x'), 1, 2));

  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().code, ExitCode::Usage);
  EXPECT_NE(tried.error().remedy.find("shorter runtime directory"), std::string::npos);
}

TEST(ShmStart, ANodeAloneCarriesNothing) {
  const TemporaryDirectory directory;
  const auto alone = open_node(directory.path(), 1, 1);
  ASSERT_NE(alone, nullptr);

  send(*alone, {frame_of(1, 100)}, {.kind = Destination::Kind::Everyone});

  EXPECT_TRUE(receive(*alone).empty());
  EXPECT_TRUE(alone->arm_wait());
  EXPECT_EQ(alone->ports().count, 0u);
}

}  // namespace
}  // namespace phalanx::transport::shm
