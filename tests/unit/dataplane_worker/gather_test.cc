#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/dataplane_worker/late_wire.h"
#include "tests/unit/dataplane_worker/test_node.h"

/// Workers whose transport reads payloads from their lanes' memory when a frame leaves: whatever is
/// written there meanwhile, nobody delivers anything but what was sent.
namespace phalanx::worker {
namespace {

using testing::LateWire;
using testing::messages;
using testing::TestClient;
using testing::TestCluster;
using Seen = std::vector<std::string>;

constexpr std::size_t kNodes = 3;
constexpr testing::NodeOptions kGathers{.cipher = wire::Cipher::Insecure, .gathers = true};

/// A client on each of three nodes; what it saw is kept.
struct LateCluster {
  explicit LateCluster(std::uint32_t seed = 1) : wire(kNodes, seed) {
    c.change_view({0, 1, 2});
    for (std::size_t i = 0; i < kNodes; ++i) {
      clients.push_back(std::make_unique<TestClient>(c[i].attach(1)));
      clients[i]->join("chat");
    }
    c.turn(100);
    for (const auto& client : clients) client->read();
  }
  bool send(std::size_t node, std::uint8_t flags = 0) {
    std::string text = std::to_string(node) + "-" + std::to_string(sent[node]) + "-";
    while (text.size() < 1200) text += static_cast<char>('a' + (text.size() * 7 + sent[node]) % 26);
    if (!clients[node]->send("chat", text, flags)) return false;
    ++sent[node];
    all.push_back("m:" + text);
    return true;
  }
  void turn(std::size_t times) {
    c.turn(times);
    for (std::size_t i = 0; i < kNodes; ++i) {
      for (const std::string& text : messages(clients[i]->read())) seen[i].push_back(text);
    }
  }
  std::uint64_t count(std::size_t node, shm::Counter counter) const {
    return c.operator[](node).plane.counter(counter);
  }

  LateWire wire;
  mutable TestCluster c{wire.ends(), kGathers};
  std::vector<std::unique_ptr<TestClient>> clients;
  std::array<std::size_t, kNodes> sent{};
  Seen all;
  std::array<Seen, kNodes> seen;
};

TEST(Gather, LongPayloadsOfLogAndStreamAreLeftWhereTheyLie) {
  LateCluster late;

  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(late.send(0));
    EXPECT_TRUE(late.send(1));
    late.turn(3);
  }
  late.turn(500);

  EXPECT_EQ(late.seen[0].size(), 100U);
  EXPECT_EQ(late.seen[1], late.seen[0]);
  EXPECT_EQ(late.seen[2], late.seen[0]);
  EXPECT_GE(late.wire.gathered, 150U) << "100 of the log, 50 of the stream";
  EXPECT_EQ(late.wire.changed, 0U);
}

TEST(Gather, ShortPayloadsAreCopied) {
  LateCluster late;
  const std::size_t before = late.wire.gathered;
  TestClient& client = *late.clients[0];

  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(client.send("chat", std::string(300, 'x')));
    late.turn(3);
  }
  late.turn(100);

  EXPECT_EQ(late.seen[2].size(), 20U);
  EXPECT_EQ(late.wire.gathered, before);
}

TEST(Gather, APayloadThatRunsOverTheEndOfItsRingIsCopied) {
  std::vector<std::byte> memory(3 * 4096);
  core::LaneMemory lane;
  lane.log = {memory.data(), 4096};
  lane.stream = {memory.data() + 8192, 2048};
  const GatherMemory gathers({.lanes = 2, .first = 1, .step = 2}, std::span(&lane, 1));
  const auto has = [&](std::size_t at, std::size_t bytes, LaneId of = 1) {
    return gathers.has({.lane = of, .payload = {memory.data() + at, bytes}});
  };

  EXPECT_TRUE(has(0, 512));
  EXPECT_FALSE(has(0, 511)) << "too short to be worth it";
  EXPECT_TRUE(has(4096 - 1000, 1000));
  EXPECT_FALSE(has(4096 - 1000, 1001));
  EXPECT_TRUE(has(8192, 2048));
  EXPECT_FALSE(has(8192 - 1, 2048)) << "nobody lent that";
  EXPECT_FALSE(has(0, 512, 0)) << "another worker's lane";
}

// The log is 256 KiB: it is written over several times. What was set aside looked lost, so it was
// sent again, its bytes became stable, and others took their place before it left.
TEST(Gather, AFrameThatLeavesAfterItsBytesWereReusedIsNobodysLoss) {
  std::size_t changed = 0;
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    LateCluster late(seed);
    late.wire.stall_percent = 30;
    late.wire.frames_a_turn = 3;
    late.wire.aside_percent = 3;

    for (int i = 0; late.all.size() < 1500 && i < 20'000; ++i) {
      (void)late.send(static_cast<std::size_t>(i) % kNodes,
                      i % 5 == 0 ? shm::kSubmissionSafe : std::uint8_t{0});
      late.turn(2);
      if (i % 700 == 0) late.wire.let_go();
    }
    late.wire.aside_percent = late.wire.stall_percent = 0;
    late.wire.let_go();
    late.turn(2000);

    ASSERT_EQ(late.all.size(), 1500U);
    Seen sorted = late.seen[0];
    std::ranges::sort(sorted);
    std::ranges::sort(late.all);
    EXPECT_EQ(sorted, late.all) << "each once, as it was sent";
    EXPECT_EQ(late.seen[1], late.seen[0]);
    EXPECT_EQ(late.seen[2], late.seen[0]);
    changed += late.wire.changed;
  }
  EXPECT_GT(changed, 100U);
}

// Node 3 was left behind: it still is in the old view, and lacks what the others went on with. Safe
// messages were not delivered when the view changed, so the install moves them in the log, and the
// new view writes over it. Only their tags keep these frames from being what node 3 waits for.
TEST(Gather, AFrameThatLeavesAfterAViewChangeFoolsNobodyWhoWasLeftBehind) {
  LateCluster late;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(late.send(0));
    late.turn(20);
  }
  ASSERT_EQ(late.seen[2].size(), 10U);

  late.wire.aside_for = 3;
  for (int i = 0; i < 12; ++i) {
    EXPECT_TRUE(late.send(0, shm::kSubmissionSafe));
    late.turn(10);
  }
  EXPECT_EQ(late.seen[0].size(), 10U) << "not stable without node 3";
  late.c.change_view({0, 1});
  for (int i = 0; late.sent[1] < 100 && i < 5'000; ++i) {
    (void)late.send(1);
    late.turn(5);
  }
  ASSERT_EQ(late.seen[0].size(), 122U);
  EXPECT_EQ(late.seen[1], late.seen[0]);
  EXPECT_EQ(late.wire.changed, 0U);

  late.wire.aside_for = 0;
  late.wire.let_go();
  for (int i = 0; i < 50; ++i) {
    late.c[2].worker->poll_once(late.c.now);
    late.turn(1);
  }

  EXPECT_GT(late.wire.changed, 8U);
  EXPECT_GT(late.count(2, shm::Counter::RxBadTag), 8U);
  ASSERT_GE(late.seen[2].size(), 10U);
  EXPECT_TRUE(std::equal(late.seen[2].begin(), late.seen[2].end(), late.seen[0].begin()))
      << "a prefix of what the others delivered";
}

}  // namespace
}  // namespace phalanx::worker
