#include <gtest/gtest.h>

#include "dataplane/worker/worker.h"
#include "ipc/shm/group_id.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using testing::messages;
using testing::NodeOptions;
using testing::TestClient;
using testing::TestCluster;
using Seen = std::vector<std::string>;

TEST(Worker, AReaderThatLagsIsEvictedAtOnePointOfTheOrder) {
  TestCluster c(2,
                NodeOptions{.client_ring = 4096, .slow_clients = {.patience = 20 * kMillisecond}});
  c.change_view({0, 1});
  TestClient slow(c[0].attach(1));
  TestClient writer(c[0].attach(2));
  TestClient other(c[1].attach(3));
  slow.join("chat");
  writer.join("chat");
  other.join("chat");
  c.turn(100);
  Seen at_writer = writer.read();
  Seen at_other = other.read();

  for (int i = 0; i < 400; ++i) {
    writer.send("chat", "message " + std::to_string(i));
    c.turn(20);
    for (std::string& s : writer.read()) at_writer.push_back(s);
    for (std::string& s : other.read()) at_other.push_back(s);
  }
  c.turn(5000);
  for (std::string& s : writer.read()) at_writer.push_back(s);
  for (std::string& s : other.read()) at_other.push_back(s);

  EXPECT_EQ(slow.channel.state(), shm::ChannelState::Evicted);
  EXPECT_FALSE(slow.read().empty());  // What was queued is still there to be read.
  const auto place = std::find(at_writer.begin(), at_writer.end(), "g-1:1/4");
  const auto place_at_other = std::find(at_other.begin(), at_other.end(), "g-1:1/4");
  ASSERT_NE(place, at_writer.end());
  EXPECT_EQ(messages(Seen(at_writer.begin(), place)),
            messages(Seen(at_other.begin(), place_at_other)));
  EXPECT_EQ(messages(at_writer).size(), 400U);
  EXPECT_EQ(c[0].plane.counter(shm::Counter::ClientsEvicted), 1U);
  EXPECT_EQ(c[0].notices(MainNotice::Kind::Evicted), 1U);
}

TEST(Worker, LongMessagesPassInPieces) {
  TestCluster c(2, NodeOptions{.client_ring = 4096, .message_bytes_max = 16 * 1024});
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(2));
  a.join("chat");
  b.join("chat");
  c.turn(100);
  a.read();
  b.read();
  const std::string text(15'000, 'x');

  ASSERT_TRUE(b.send("chat", text));
  c.turn(500);

  EXPECT_EQ(a.read(), (Seen{"m:" + text}));
  EXPECT_EQ(b.read(), (Seen{"m:" + text}));
}

std::string name_on_lane(LaneId lane, LaneId lanes) {
  for (int i = 0;; ++i) {
    std::string name = "group " + std::to_string(i);
    if (shm::group_id(name.data(), name.size()) % lanes == lane) return name;
  }
}

TEST(Worker, LanesWithLongMessagesDoNotWaitForEachOther) {
  TestCluster c(
      1, NodeOptions{
             .client_ring = 4096, .message_bytes_max = 200'000, .lanes = 2, .memory_scale = 4});
  c.change_view({0});
  TestClient a(c[0].attach(1));
  TestClient b(c[0].attach(2));
  const std::string even = name_on_lane(0, 2);
  const std::string odd = name_on_lane(1, 2);
  a.join(even);
  b.join("b alone");
  c.turn(5);
  b.join(even);
  b.join(odd);
  c.turn(5);
  a.join(odd);
  c.turn(5);
  a.read();
  b.read();
  ASSERT_TRUE(b.send("b alone", std::string(100'000, 'x')));
  c.turn(20);

  ASSERT_TRUE(a.send(even, std::string(190'000, 'e')));  // B has no room for it.
  c.turn(20);
  ASSERT_TRUE(b.send(odd, std::string(80'000, 'o')));  // For this it has.
  c.turn(20);
  std::size_t got = messages(b.read()).size();
  for (int i = 0; i < 3; ++i) {
    c.turn(200);
    got += messages(a.read()).size() + messages(b.read()).size();
  }

  EXPECT_EQ(got, 5U);
}

bool read_one(TestClient& client) {
  shm::BulkRecord record;
  if (!client.channel.peek_event(record)) return false;
  client.channel.pop_event();
  client.channel.release_events();
  return true;
}

// What is long may need the room of many that are short.
TEST(Worker, AReaderThatGoesOnReadingIsNotEvicted) {
  TestCluster c(1,
                NodeOptions{.client_ring = 4096, .slow_clients = {.patience = 20 * kMillisecond}});
  c.change_view({0});
  TestClient slow(c[0].attach(1));
  TestClient writer(c[0].attach(2));
  slow.join("chat");
  writer.open("chat");
  c.turn(10);
  for (int i = 0; i < 25; ++i) {
    ASSERT_TRUE(writer.send("chat", std::string(100, 's')));
    c.turn(2);
  }
  ASSERT_TRUE(writer.send("chat", std::string(1900, 'l')));

  for (int i = 0; i < 20; ++i) {
    c.now += 5 * kMillisecond;
    c.turn(2);
    ASSERT_TRUE(read_one(slow));
  }

  c.turn(5);
  EXPECT_EQ(slow.channel.state(), shm::ChannelState::Open);
  EXPECT_EQ(messages(slow.read()).back(), "m:" + std::string(1900, 'l'));
}

/// A lane of two nodes with three messages a turn, and two readers that may hold it back for 50 ms.
struct Flood {
  Flood() { c.change_view({0, 1}); }
  void run(TimeNs time, int slow_reads_a_turn, int other_reads_a_turn = 0) {
    for (const TimeNs end = c.now + time; c.now < end;) {
      c.now += 95 * kMicrosecond;
      for (int i = 0; i < 3 && writer.send("chat", std::string(1000, 'm')); ++i) {
      }
      for (int i = 0; i < slow_reads_a_turn && read_one(slow); ++i) {
      }
      for (int i = 0; i < other_reads_a_turn && read_one(other); ++i) {
      }
      c.turn();
    }
  }
  TestCluster c{2, NodeOptions{.client_ring = 8192, .slow_clients = {.room_min = 64 * 1024}}};
  TestClient slow{c[1].attach(1)};
  TestClient other{c[1].attach(3)};
  TestClient writer{c[0].attach(2)};
};

TEST(Worker, AReaderThatWasNotScheduledForAWhileStays) {
  Flood f;
  f.slow.join("chat");
  f.writer.open("chat");
  f.c.turn(100);

  for (int i = 0; i < 50; ++i) {
    f.run(40 * kMillisecond, 0);
    f.run(20 * kMillisecond, 1000);
  }

  EXPECT_EQ(f.slow.channel.state(), shm::ChannelState::Open);
}

TEST(Worker, AReaderThatIsSlowerThanTheLaneGoes) {
  Flood f;
  f.slow.join("chat");
  f.writer.open("chat");
  f.c.turn(100);

  f.run(500 * kMillisecond, 1);
  EXPECT_EQ(f.slow.channel.state(), shm::ChannelState::Open);
  f.run(1000 * kMillisecond, 1);
  EXPECT_EQ(f.slow.channel.state(), shm::ChannelState::Evicted);
}

// A group's readers hold the lane back in turn; each is judged by its own time alone.
TEST(Worker, AReaderIsNotChargedWithTheTimeOfAnother) {
  Flood f;
  f.slow.join("chat");
  f.other.join("chat");
  f.writer.open("chat");
  f.c.turn(100);

  for (int i = 0; i < 19; ++i) {
    f.run(40 * kMillisecond, 0, 100);
    f.run(1, 3, 100);
  }
  for (int i = 0; i < 2; ++i) {
    f.run(45 * kMillisecond, 100, 0);
    f.run(1, 100, 3);
  }

  EXPECT_EQ(f.slow.channel.state(), shm::ChannelState::Open);
  EXPECT_EQ(f.other.channel.state(), shm::ChannelState::Open);
}

TEST(Worker, AReaderThatStopsWhileTheLaneIsInFloodGoesSoon) {
  Flood f;
  f.slow.join("chat");
  f.writer.open("chat");
  f.c.turn(100);

  f.run(100 * kMillisecond, 0);

  EXPECT_EQ(f.slow.channel.state(), shm::ChannelState::Evicted);
}

TEST(Worker, WhatOtherLanesDeliverDoesNotKeepAReaderThatLags) {
  TestCluster c(
      1, NodeOptions{
             .client_ring = 4096, .slow_clients = {.patience = 20 * kMillisecond}, .lanes = 2});
  c.change_view({0});
  TestClient slow(c[0].attach(1));
  TestClient writer(c[0].attach(2));
  const std::string even = name_on_lane(0, 2);
  const std::string odd = name_on_lane(1, 2);
  for (const std::string& name : {even, odd}) {
    slow.join(name);
    writer.open(name);
  }
  c.turn(10);
  slow.read();
  ASSERT_TRUE(writer.send(even, std::string(1900, 'l')));
  ASSERT_TRUE(writer.send(odd, std::string(500, 's')));
  c.turn(10);

  ASSERT_TRUE(writer.send(even, std::string(1900, 'l')));
  for (int i = 0; i < 10; ++i) {
    c.now += 5 * kMillisecond;
    ASSERT_TRUE(writer.send(odd, "short"));
    c.turn(2);
  }

  EXPECT_EQ(slow.channel.state(), shm::ChannelState::Evicted);
}

}  // namespace
}  // namespace phalanx::worker
