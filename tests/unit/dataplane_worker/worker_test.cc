#include "dataplane/worker/worker.h"

#include <gtest/gtest.h>

#include "ipc/shm/group_id.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using testing::NodeOptions;
using testing::TestClient;
using testing::TestCluster;
using Seen = std::vector<std::string>;

Seen messages(const Seen& all) {
  Seen out;
  for (const std::string& s : all) {
    if (s.starts_with("m:")) out.push_back(s);
  }
  return out;
}

TEST(Worker, AClientGetsTheViewThenItsJoinThenItsMessages) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(7));

  client.join("chat");
  client.send("chat", "one");
  client.send("chat", "two");
  c.turn(5);

  EXPECT_EQ(client.read(), (Seen{"v1", "g+1:7", "m:one", "m:two"}));
}

TEST(Worker, SendingNeedsAJoinOrAnOpen) {
  TestCluster c(1);
  c.change_view({0});
  TestClient reader(c[0].attach(1));
  TestClient stranger(c[0].attach(2));
  TestClient opener(c[0].attach(3));
  reader.join("chat");
  c.turn(3);

  stranger.send("chat", "unheard");
  opener.open("chat");
  opener.send("chat", "heard");
  c.turn(5);

  EXPECT_EQ(messages(reader.read()), (Seen{"m:heard"}));
  EXPECT_EQ(opener.read(), (Seen{"v1"}));
  EXPECT_EQ(c[0].plane.counter(shm::Counter::SubmissionsRefused), 1U);
}

TEST(Worker, AMessageGoesToItsGroupOnly) {
  TestCluster c(1);
  c.change_view({0});
  TestClient a(c[0].attach(1));
  TestClient b(c[0].attach(2));
  a.join("left");
  b.join("right");

  a.send("left", "for a");
  b.send("right", "for b");
  c.turn(5);

  EXPECT_EQ(messages(a.read()), (Seen{"m:for a"}));
  EXPECT_EQ(messages(b.read()), (Seen{"m:for b"}));
}

TEST(Worker, NothingMovesBeforeAViewAndNothingIsLost) {
  TestCluster c(1);
  TestClient client(c[0].attach(1));
  client.join("chat");
  client.send("chat", "early");
  c.turn(5);
  EXPECT_TRUE(client.read().empty());

  c.change_view({0});
  c.turn(5);

  EXPECT_EQ(client.read(), (Seen{"v1", "g+1:1", "m:early"}));
}

TEST(Worker, ThreeNodesDeliverOneOrder) {
  TestCluster c(3);
  c.change_view({0, 1, 2});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(1));
  TestClient d(c[2].attach(1));
  for (TestClient* client : {&a, &b, &d}) client->join("chat");
  c.turn(100);
  for (TestClient* client : {&a, &b, &d}) client->read();
  Seen at_a;
  Seen at_b;
  Seen at_d;
  const auto read = [&] {
    for (auto& [client, seen] :
         {std::pair{&a, &at_a}, std::pair{&b, &at_b}, std::pair{&d, &at_d}}) {
      for (std::string& s : client->read()) seen->push_back(s);
    }
  };

  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(a.send("chat", "a" + std::to_string(i)));
    EXPECT_TRUE(b.send("chat", "b" + std::to_string(i), shm::kSubmissionSafe));
    EXPECT_TRUE(d.send("chat", std::string(1000, 'd') + std::to_string(i)));
    c.turn(3);
    read();
  }
  c.turn(500);
  read();

  EXPECT_EQ(at_a.size(), 900U);
  EXPECT_EQ(at_b, at_a);
  EXPECT_EQ(at_d, at_a);
}

TEST(Worker, OnlyTheOrdererSendsTheLog) {
  TestCluster c(3);
  c.change_view({0, 1, 2});
  TestClient a(c[0].attach(1));
  a.open("chat");
  c.turn(10);

  for (int i = 0; i < 100; ++i) {
    a.send("chat", std::string(1000, 'x'));
    c.turn(5);
  }
  c.turn(100);

  EXPECT_GT(c[0].plane.counter(shm::Counter::TxBytes), 100'000U);
  EXPECT_LT(c[1].plane.counter(shm::Counter::TxBytes), 60'000U);  // Its rows.
  EXPECT_EQ(c[2].plane.counter(shm::Counter::RxDuplicate), 0U);
}

TEST(Worker, SurvivorsAgreeWhenANodeIsLost) {
  TestCluster c(3);
  c.change_view({0, 1, 2});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(1));
  TestClient d(c[2].attach(1));
  for (TestClient* client : {&a, &b, &d}) client->join("chat");
  c.turn(100);
  a.read();
  b.read();

  for (int i = 0; i < 100; ++i) {
    a.send("chat", "a" + std::to_string(i));
    b.send("chat", "b" + std::to_string(i));
    d.send("chat", "d" + std::to_string(i));
  }
  c.turn(2);
  c.change_view({1, 2});
  c.turn(500);

  const Seen at_b = b.read();
  const Seen at_d = d.read();
  EXPECT_EQ(messages(at_b), messages(at_d));
  const auto own = [](const Seen& all, const char* who) {
    return std::count_if(all.begin(), all.end(),
                         [&](const std::string& s) { return s.starts_with(who); });
  };
  EXPECT_EQ(own(at_b, "m:b"), 100);
  EXPECT_EQ(own(at_b, "m:d"), 100);
  EXPECT_EQ(std::count(at_b.begin(), at_b.end(), "g-1:1/6"), 1);
  EXPECT_EQ(std::count(at_b.begin(), at_b.end(), "v2.3"), 1);
}

TEST(Worker, AClientThatHangsUpIsDrainedThenItsLeavesAreOrdered) {
  TestCluster c(2);
  c.change_view({0, 1});
  ClientPort& port = c[0].attach(5);
  TestClient dying(port);
  TestClient other(c[1].attach(6));
  dying.join("chat");
  other.join("chat");
  c.turn(100);
  other.read();

  dying.send("chat", "last words");
  c[0].mailbox.order({.kind = WorkerOrder::Kind::ClientGone, .port = &port});
  c.turn(100);

  EXPECT_EQ(other.read(), (Seen{"m:last words", "g-1:5/3"}));
  EXPECT_EQ(c[0].notices(MainNotice::Kind::ClientReleased), 1U);
}

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
    const std::string name = "group " + std::to_string(i);
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

TEST(Worker, HashesAFewNamesATurn) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(1));
  c.turn(2);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.open("group " + std::to_string(i)));

  c.turn();

  EXPECT_EQ(c[0].plane.counter(shm::Counter::Submitted), 8U);
  c.turn(2);
  EXPECT_EQ(c[0].plane.counter(shm::Counter::Submitted), 20U);
}

TEST(Worker, FlippedBitsNeverReachAClient) {
  TestCluster c(2);
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(2));
  a.join("chat");
  b.join("chat");
  c.turn(100);
  a.read();
  b.read();

  std::size_t frames = 0;
  c.wire.filter = [&](NodeId, NodeId, std::vector<std::byte>& frame) {
    if (++frames % 3 == 0) frame[frames % frame.size()] ^= std::byte{1};
    return true;
  };
  for (int i = 0; i < 100; ++i) {
    b.send("chat", "b" + std::to_string(i));
    c.turn(10);
  }
  c.wire.filter = {};
  c.turn(2000);

  const Seen at_a = a.read();
  EXPECT_EQ(at_a.size(), 100U);
  EXPECT_EQ(b.read(), at_a);
  EXPECT_GT(c[0].plane.counter(shm::Counter::RxBadTag) + c[1].plane.counter(shm::Counter::RxBadTag),
            0U);
}

TEST(Worker, ControlMessagesPassWholeToTheirIncarnationOnly) {
  TestCluster c(2);
  shm::Command send{.kind = shm::CommandKind::SendControl,
                    .message_kind = static_cast<std::uint8_t>(wire::MessageKind::Plan),
                    .to = {c[1].member()}};
  send.bytes.assign(100'000, std::byte{5});  // Some seventy frames.

  ASSERT_TRUE(c[0].plane.send(send));
  c.turn(5);
  send.to[0].boot.bytes[0] = 99;
  ASSERT_TRUE(c[0].plane.send(send));
  c.turn(5);

  const std::vector<shm::Event> events = c[1].events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].sender, c[0].member());
  EXPECT_EQ(events[0].bytes, send.bytes);
  EXPECT_GT(c[1].plane.counter(shm::Counter::RxOtherReceiver), 0U);
}

TEST(Worker, ListsItsGroups) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(1));
  client.join("chat");
  c.turn(5);
  c[0].events();

  ASSERT_TRUE(c[0].plane.send({.kind = shm::CommandKind::ListGroups, .token = 9}));
  c.turn();

  const std::vector<shm::Event> events = c[0].events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].token, 9U);
  EXPECT_EQ(events[0].bytes.size(), 4U + 8 + 1 + 4 + 4 + 12);
}

TEST(Worker, SaysSoWhenItWasNotScheduled) {
  TestCluster c(1);
  c.change_view({0});
  c.turn();

  c.now += 200 * kMillisecond;
  c.turn();

  const std::vector<shm::Event> events = c[0].events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().kind, shm::WorkerEventKind::Distrust);
  EXPECT_EQ(events.back().token, 200U);
}

TEST(Worker, SleepsOnlyWhenNothingWaits) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(1));
  c.turn(1000);
  TimeNs until = 0;
  ASSERT_TRUE(c[0].worker->arm(c.now, until));
  EXPECT_GT(until, c.now);
  c[0].worker->disarm();

  client.join("chat");

  EXPECT_FALSE(c[0].worker->arm(c.now, until));
}

}  // namespace
}  // namespace phalanx::worker
