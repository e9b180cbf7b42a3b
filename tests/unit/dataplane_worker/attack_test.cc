// What somebody on the wire makes out of real frames, each attack before a whole worker. Frames are
// checked in the order of their dangers: what is wrong with one is told by the first check that it
// does not pass.

#include <gtest/gtest.h>

#include "tests/unit/dataplane_worker/test_node.h"
#include "transport/wire/frame_seal.h"

namespace phalanx::worker::testing {
namespace {

using shm::Counter;
using Frame = std::vector<std::byte>;

/// Node 1 orders and sends; frames of its log for node 2 are caught.
class Attack : public ::testing::Test {
 protected:
  Attack() {
    c.change_view({0, 1});
    sender.join("chat");
    reader.join("chat");
    settle();
    c.wire.filter = [this](NodeId from, NodeId, Frame& frame) {
      const auto header = wire::decode(frame);
      if (from != 1 || !header || header->type != wire::FrameType::Ordered) return true;
      if (catches_) caught.push_back(frame);
      return carries_;
    };
  }

  /// One message, and the one frame that carries it, which arrives or not.
  Frame send(bool arrives) {
    catches_ = true;
    carries_ = arrives;
    caught.clear();
    const std::string text = "message " + std::to_string(sent_.size()) + std::string(200, '.');
    EXPECT_TRUE(sender.send("chat", text));
    sent_.push_back("m:" + text);
    for (int turns = 0; caught.empty() && turns < 100; ++turns) c.turn();
    catches_ = false;
    PHX_CHECK(!caught.empty());
    return caught[0];
  }
  /// Before node 2, which takes its turn alone: no repair is on its way.
  void inject(const Frame& frame) {
    c.wire.end(2).inbox.push_back(frame);
    c[1].worker->poll_once(c.now);
  }
  /// Everything arrives from now on.
  void settle() {
    carries_ = true;
    c.turn(2000);
    const std::vector<std::string> got = messages(reader.read());
    read_.insert(read_.end(), got.begin(), got.end());
  }
  [[nodiscard]] std::uint64_t count(Counter counter) { return c[1].plane.counter(counter); }
  void expect_all_was_read_once() {
    settle();
    EXPECT_EQ(read_, sent_);
    EXPECT_EQ(status(1).order_hash, status(0).order_hash);
    EXPECT_EQ(status(1).received, status(0).received);
  }
  [[nodiscard]] core::LaneStatus status(std::size_t node) { return c[node].core->lane_status(0); }

  TestCluster c{2};
  TestClient sender{c[0].attach(1)};
  TestClient reader{c[1].attach(2)};
  std::vector<Frame> caught;

 private:
  bool catches_ = false;
  bool carries_ = true;
  std::vector<std::string> sent_, read_;
};

/// A header that no replay window knows, before other bytes: the range and the cipher can tell.
Frame forged(const Frame& real, Position position, std::size_t sealed_bytes) {
  auto header = wire::decode(real).value();
  header.counter += 1000;
  header.position = position;
  Frame out(wire::kOverheadBytes + sealed_bytes, std::byte{0x5a});
  wire::encode(header, std::span(out).first<wire::kHeaderBytes>());
  return out;
}

std::size_t sealed_bytes(const Frame& frame) { return frame.size() - wire::kOverheadBytes; }
Position position_of(const Frame& frame) { return wire::decode(frame)->position; }

// Held bytes above a hole are what the cipher has let pass; nobody may write there again.
TEST_F(Attack, OverHeldBytesIsDroppedBeforeTheCipher) {
  (void)send(false);
  const Frame held = send(true);
  inject(forged(held, position_of(held), sealed_bytes(held)));
  inject(forged(held, position_of(held) + 8, 16));
  EXPECT_EQ(count(Counter::RxDuplicate), 2U);
  EXPECT_EQ(count(Counter::RxBadTag), 0U);
  expect_all_was_read_once();
}

// It has to be opened to be told from a repair, and must not be opened over what is held.
TEST_F(Attack, ThatOverlapsHeldBytesIsOpenedBesideThem) {
  const Frame hole = send(false);
  const Frame held = send(true);
  const std::size_t both = sealed_bytes(hole) + sealed_bytes(held);
  ASSERT_EQ(position_of(held), position_of(hole) + sealed_bytes(hole));
  inject(forged(held, position_of(hole), both));
  inject(forged(held, position_of(held) + 8, both));
  EXPECT_EQ(count(Counter::RxBadTag), 2U);
  EXPECT_EQ(status(1).received, position_of(hole)) << "no byte of the hole is taken for held";
  expect_all_was_read_once();
}

// In place, where nothing is held: what a forger wrote there is nobody's until the tag compared.
TEST_F(Attack, IntoAHoleLeavesItAHole) {
  const Frame hole = send(false);
  inject(forged(hole, position_of(hole), sealed_bytes(hole)));
  EXPECT_EQ(count(Counter::RxBadTag), 1U);
  EXPECT_EQ(status(1).received, position_of(hole));
  inject(hole);
  EXPECT_EQ(status(1).received, position_of(hole) + sealed_bytes(hole));
  expect_all_was_read_once();
}

TEST_F(Attack, OutsideOfTheWindowIsDroppedBeforeTheCipher) {
  const Frame frame = send(true);
  inject(forged(frame, Position{1} << 40, 64));
  EXPECT_EQ(count(Counter::RxOutOfRange), 1U);
  EXPECT_EQ(count(Counter::RxBadTag), 0U);
  expect_all_was_read_once();
}

TEST_F(Attack, ByReplayIsKnownByItsCounter) {
  std::vector<Frame> frames(20);
  for (Frame& frame : frames) frame = send(true);
  settle();
  for (const Frame& frame : frames) inject(frame);
  EXPECT_EQ(count(Counter::RxReplayed), 20U);
  expect_all_was_read_once();
}

TEST_F(Attack, WithFramesOfAnotherViewHasNoKey) {
  const Frame lost = send(false);
  const Frame seen = send(true);
  settle();
  c.change_view({0, 1});
  const std::uint64_t before = count(Counter::RxUnknownKey);
  inject(lost);
  inject(seen);
  inject(forged(lost, status(1).received, sealed_bytes(lost)));
  EXPECT_EQ(count(Counter::RxUnknownKey), before + 3);
  expect_all_was_read_once();
}

// Sealed under the cluster's own key, by who was node 1 before or will be: for the same view.
TEST_F(Attack, WithFramesOfAnotherBootHasNoKey) {
  (void)send(true);
  settle();
  Member reborn = c[0].member();
  reborn.boot.bytes[0] ^= 1;
  wire::KeyTable keys(
      {.cipher = wire::Cipher::OpenSsl, .self = reborn, .lanes = 1, .nodes = {1, 2}},
      wire::insecure_cluster_key("test"));
  keys.install({1, 1, c[0].member().boot}, std::vector<Member>{reborn, c[1].member()});
  wire::FrameSealer sealer(keys);
  Frame frame(1472);
  frame.resize(sealer.seal_data(wire::FrameType::Ordered, 0, status(1).received, Frame(64), frame));
  const std::uint64_t before = count(Counter::RxUnknownKey);
  inject(frame);
  EXPECT_EQ(count(Counter::RxUnknownKey), before + 1);
  expect_all_was_read_once();
}

}  // namespace
}  // namespace phalanx::worker::testing
