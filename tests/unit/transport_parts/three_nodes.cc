#include "tests/unit/transport_parts/three_nodes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace phalanx::transport {
namespace {

using Kind = Destination::Kind;

}  // namespace

bool ThreeNodes::all_hear_all() {
  for (NodeId id = 1; id <= 3; ++id) send(node(id), {frame_of(id, 64)}, {.kind = Kind::Everyone});
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

void ThreeNodes::collect() {
  for (int quiet = 0; quiet < 3;) {
    bool any = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (Bytes& frame : receive(*nodes[i])) {
        got_[i].push_back(std::move(frame));
        any = true;
      }
    }
    quiet = any ? 0 : quiet + 1;
  }
}

void brings_a_frame_to_the_peer_named(ThreeNodes& nodes) {
  send(nodes.node(1), {frame_of(7, 300)}, {.kind = Kind::Peer, .peer = 3});
  nodes.collect();

  EXPECT_TRUE(nodes.got(1).empty());
  EXPECT_TRUE(nodes.got(2).empty());
  EXPECT_EQ(nodes.got(3), std::vector<Bytes>{frame_of(7, 300)});
}

void brings_a_frame_for_members_to_members(ThreeNodes& nodes) {
  const std::array<NodeId, 2> members{1, 2};
  for (auto& each : nodes.nodes) each->set_members(members);

  send(nodes.node(2), {frame_of(1, 64), frame_of(2, 1400)}, {.kind = Kind::Members});
  nodes.collect();

  EXPECT_EQ(nodes.got(1), (std::vector<Bytes>{frame_of(1, 64), frame_of(2, 1400)}));
  EXPECT_TRUE(nodes.got(2).empty());
  EXPECT_TRUE(nodes.got(3).empty());
}

void carries_the_longest_frame(ThreeNodes& nodes) {
  const std::size_t longest = nodes.node(1).limits().frame_bytes_max;

  send(nodes.node(3), {frame_of(5, longest), frame_of(6, 1)}, {.kind = Kind::Everyone});
  nodes.collect();

  const std::vector<Bytes> expected{frame_of(5, longest), frame_of(6, 1)};
  EXPECT_EQ(nodes.got(1), expected);
  EXPECT_EQ(nodes.got(2), expected);
}

void drops_what_does_not_fit(ThreeNodes& nodes) {
  Transport& from = nodes.node(1);
  const auto before = from.counters();
  const std::vector<Bytes> burst(64, frame_of(9, 1000));

  for (int i = 0; i < 40; ++i) send(from, burst, {.kind = Kind::Peer, .peer = 2});
  const auto after = from.counters();
  nodes.collect();
  send(from, {frame_of(10, 100)}, {.kind = Kind::Peer, .peer = 2});
  const std::size_t taken = nodes.got(2).size();
  nodes.collect();

  EXPECT_GT(after.tx_refused, before.tx_refused);
  EXPECT_EQ(after.tx_frames + after.tx_refused - before.tx_frames - before.tx_refused, 40 * 64);
  EXPECT_EQ(taken, after.tx_frames - before.tx_frames);
  ASSERT_EQ(nodes.got(2).size(), taken + 1);
  EXPECT_EQ(nodes.got(2).back(), frame_of(10, 100));
}

void takes_back_what_was_lent(ThreeNodes& nodes) {
  for (int i = 0; i < 1000; ++i) {
    std::array<TxFrame, 64> lent;
    ASSERT_EQ(nodes.node(1).tx_alloc(lent), lent.size());
    nodes.node(1).tx_burst({});
  }

  send(nodes.node(1), {frame_of(1, 64)}, {.kind = Kind::Peer, .peer = 2});
  nodes.collect();
  EXPECT_EQ(nodes.got(2).size(), 1u);
}

}  // namespace phalanx::transport
