#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/unit/transport_dpdk/nodes.h"

namespace phalanx::transport::dpdk {
namespace {

using Kind = Destination::Kind;

/// Three nodes in one process, driven step by step.
class Memif : public testing::Test {
 protected:
  void SetUp() override {
    for (NodeId node = 1; node <= 3; ++node) {
      nodes_.push_back(open_memif_node(directory_.path(), node, 3));
      ASSERT_NE(nodes_.back(), nullptr);
    }
    ASSERT_TRUE(turn_until([this] { return all_hear_all(); })) << "a link did not come up";
  }

  /// Everyone says its number until everyone heard both others; then what was said is forgotten.
  bool all_hear_all() {
    for (NodeId id = 1; id <= 3; ++id) {
      send(node(id), {frame_of(id, 64)}, {.kind = Kind::Everyone});
    }
    collect();
    for (NodeId id = 1; id <= 3; ++id) {
      for (NodeId other = 1; other <= 3; ++other) {
        if (other != id && std::ranges::find(got(id), frame_of(other, 64)) == got(id).end()) {
          return false;
        }
      }
    }
    for (auto& frames : got_) frames.clear();
    return true;
  }

  void collect() {
    for (int quiet = 0; quiet < 3;) {
      bool any = false;
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        for (Bytes& frame : receive(*nodes_[i])) {
          got_[i].push_back(std::move(frame));
          any = true;
        }
      }
      quiet = any ? 0 : quiet + 1;
    }
  }

  Transport& node(NodeId id) { return *nodes_[id - 1]; }
  std::vector<Bytes>& got(NodeId id) { return got_[id - 1]; }

  TemporaryDirectory directory_;
  std::vector<std::unique_ptr<Transport>> nodes_;
  std::array<std::vector<Bytes>, 3> got_;
};

TEST_F(Memif, BringsAFrameToThePeerNamedAndToNobodyElse) {
  send(node(1), {frame_of(7, 300)}, {.kind = Kind::Peer, .peer = 3});
  collect();

  EXPECT_TRUE(got(1).empty());
  EXPECT_TRUE(got(2).empty());
  EXPECT_EQ(got(3), std::vector<Bytes>{frame_of(7, 300)});
}

TEST_F(Memif, BringsAFrameForMembersToTheOtherMembersOnly) {
  const NodeId members[] = {1, 2};
  for (auto& each : nodes_) each->set_members(members);

  send(node(2), {frame_of(1, 64), frame_of(2, 1400)}, {.kind = Kind::Members});
  collect();

  EXPECT_EQ(got(1), (std::vector<Bytes>{frame_of(1, 64), frame_of(2, 1400)}));
  EXPECT_TRUE(got(2).empty());
  EXPECT_TRUE(got(3).empty());
}

TEST_F(Memif, CarriesTheLongestFrameInOnePiece) {
  const std::size_t longest = node(1).limits().frame_bytes_max;

  send(node(3), {frame_of(5, longest), frame_of(6, 1)}, {.kind = Kind::Everyone});
  collect();

  const std::vector<Bytes> expected{frame_of(5, longest), frame_of(6, 1)};
  EXPECT_EQ(got(1), expected);
  EXPECT_EQ(got(2), expected);
}

// What a receiver does not take is dropped at the sender and counted; buffers do not run out.
TEST_F(Memif, DropsWhatDoesNotFitTheRingAndGoesOn) {
  const auto before = node(1).counters();
  const std::vector<Bytes> burst(64, frame_of(9, 1000));

  for (int i = 0; i < 40; ++i) send(node(1), burst, {.kind = Kind::Peer, .peer = 2});
  const auto after = node(1).counters();
  collect();
  send(node(1), {frame_of(10, 100)}, {.kind = Kind::Peer, .peer = 2});
  const std::size_t taken = got(2).size();
  collect();

  EXPECT_GT(after.tx_refused, before.tx_refused);
  EXPECT_EQ(after.tx_frames + after.tx_refused - before.tx_frames - before.tx_refused, 40 * 64);
  EXPECT_EQ(taken, after.tx_frames - before.tx_frames);
  ASSERT_EQ(got(2).size(), taken + 1);
  EXPECT_EQ(got(2).back(), frame_of(10, 100));
}

TEST_F(Memif, TakesBackFramesThatWereLentAndNotSent) {
  for (int i = 0; i < 1000; ++i) {
    std::array<TxFrame, 64> lent;
    ASSERT_EQ(node(1).tx_alloc(lent), lent.size());
    node(1).tx_burst({});
  }

  send(node(1), {frame_of(1, 64)}, {.kind = Kind::Peer, .peer = 2});
  collect();
  EXPECT_EQ(got(2).size(), 1u);
}

TEST_F(Memif, RefusesASecondNodeOfTheSameId) {
  const auto second = open(memif_config(directory_.path(), 2, 3));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ExitCode::Usage);
  EXPECT_NE(second.error().attempted.find("2.sock"), std::string::npos);
  EXPECT_NE(second.error().remedy.find("node.id"), std::string::npos);
}

TEST_F(Memif, LeavesNothingBehind) {
  nodes_.clear();

  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/memif"));
}

// Within a process the driver knows a socket by its name only, and takes it for a listener when the
// first port was one: so node 3, which listens for nobody. The others' return is tested by kills.
TEST_F(Memif, LinksComeBackWhenANodeComesBack) {
  for (int round = 0; round < 3; ++round) {
    nodes_.pop_back();
    nodes_.push_back(open_memif_node(directory_.path(), 3, 3));
    ASSERT_TRUE(turn_until([this] { return all_hear_all(); })) << round;
  }
}

}  // namespace
}  // namespace phalanx::transport::dpdk
