// A long submission is copied a piece a turn, and submitted as a whole or not at all.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "dataplane/worker/worker.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using testing::messages;
using testing::NodeOptions;
using testing::TestClient;
using testing::TestCluster;
using Seen = std::vector<std::string>;

constexpr std::size_t kPiece = 64 * 1024;

/// Node 1 orders; a client on each node, in one group.
struct LongSubmission : ::testing::TestWithParam<std::size_t> {
  LongSubmission() {
    c.change_view({0, 1});
    for (std::size_t node : {0U, 1U}) {
      ports.push_back(&c[node].attach(static_cast<ClientId>(node + 1)));
      clients.push_back(std::make_unique<TestClient>(*ports.back()));
      clients.back()->join("chat");
    }
    c.turn(100);
    for (auto& client : clients) client->read();
  }
  [[nodiscard]] std::uint64_t counter(shm::Counter which) {
    return c[GetParam()].plane.counter(which);
  }
  /// Turns until the first piece was taken; a record above the window waits for its grant.
  void begin() {
    const std::uint64_t before = counter(shm::Counter::SubmittedBytes);
    for (int turns = 0; counter(shm::Counter::SubmittedBytes) == before; ++turns) {
      ASSERT_LT(turns, 1000);
      c.turn();
    }
  }
  Seen read(std::size_t node) {
    Seen all;
    for (int i = 0; i < 20; ++i) {
      c.turn(200);
      for (std::string& s : clients[node]->read()) all.push_back(std::move(s));
    }
    return all;
  }

  TestCluster c{2,
                NodeOptions{.client_ring = 4096, .message_bytes_max = 400'000, .memory_scale = 8}};
  std::vector<ClientPort*> ports;
  std::vector<std::unique_ptr<TestClient>> clients;
  const std::string text = std::string(300'000, 'x');
};

TEST_P(LongSubmission, TakesOnePieceATurn) {
  const std::uint64_t submitted = counter(shm::Counter::Submitted);
  std::uint64_t bytes = counter(shm::Counter::SubmittedBytes);
  ASSERT_TRUE(clients[GetParam()]->send("chat", text));

  begin();
  std::size_t turns = 1;
  for (; counter(shm::Counter::Submitted) == submitted; ++turns) {
    EXPECT_LE(counter(shm::Counter::SubmittedBytes) - bytes, kPiece);
    bytes = counter(shm::Counter::SubmittedBytes);
    c.turn();
  }

  EXPECT_EQ(turns, 5U);
  EXPECT_EQ(read(0), (Seen{"m:" + text}));
  EXPECT_EQ(read(1), (Seen{"m:" + text}));
}

TEST_P(LongSubmission, AViewChangeInBetweenLeavesNoneOfItInTheOldView) {
  ASSERT_TRUE(clients[GetParam()]->send("chat", text));
  begin();
  const std::uint64_t end = c[GetParam()].core->lane_status(0).stream_end;
  c.turn();

  c.change_view({0, 1});

  EXPECT_EQ(c[GetParam()].core->lane_status(0).stream_end, end);
  for (const std::size_t node : {0U, 1U}) {
    const Seen seen = read(node);
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(messages(seen), (Seen{"m:" + text}));
    EXPECT_EQ(seen.back(), "m:" + text);  // After the view.
  }
}

TEST_P(LongSubmission, AClientThatHangsUpInBetweenHasSubmittedIt) {
  ASSERT_TRUE(clients[GetParam()]->send("chat", text));
  begin();

  c[GetParam()].mailbox.order({.kind = WorkerOrder::Kind::ClientGone, .port = ports[GetParam()]});

  EXPECT_EQ(messages(read(1 - GetParam())), (Seen{"m:" + text}));
  EXPECT_EQ(c[GetParam()].notices(MainNotice::Kind::ClientReleased), 1U);
}

TEST_P(LongSubmission, AClientThatLiesInBetweenHasSubmittedNothingAndHoldsUpNobody) {
  TestClient other(c[GetParam()].attach(7));
  other.join("chat");
  c.turn(100);
  ASSERT_TRUE(clients[GetParam()]->send("chat", text));
  begin();
  const shm::WorkerChannel& channel = ports[GetParam()]->channel;
  const std::uint64_t page = channel.geometry().page_bytes;
  const std::uint64_t bytes = page + channel.geometry().submit_bytes;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, channel.memory_fd(), 0);
  ASSERT_NE(memory, MAP_FAILED);

  std::memset(static_cast<std::byte*>(memory) + page, 0xFF, bytes - page);  // Lengths, kinds.
  c.turn();
  ASSERT_TRUE(other.send("chat", "after"));

  EXPECT_EQ(messages(read(1 - GetParam())), (Seen{"m:after"}));
  EXPECT_EQ(c[GetParam()].notices(MainNotice::Kind::HangUp), 1U);
  munmap(memory, bytes);
}

INSTANTIATE_TEST_SUITE_P(OrdererAndOther, LongSubmission, ::testing::Values(0U, 1U));

}  // namespace
}  // namespace phalanx::worker
