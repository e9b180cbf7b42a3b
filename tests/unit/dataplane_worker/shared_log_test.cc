#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <memory>

#include "dataplane/worker/worker.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using testing::messages;
using testing::NodeOptions;
using testing::TestClient;
using testing::TestCluster;
using Seen = std::vector<std::string>;

void add(Seen& to, TestClient& from) {
  for (std::string& s : from.read()) to.push_back(std::move(s));
}

// Two read the log, one has a ring of its own, on one node; a fourth is elsewhere.
TEST(SharedLog, ItsReadersSeeTheOrderThatOthersSee) {
  TestCluster c(2, NodeOptions{.shared_log = 1u << 20});
  c.change_view({0, 1});
  TestClient first(c[0].attach(1, true), c[0].log_fd());
  TestClient second(c[0].attach(2, true), c[0].log_fd());
  TestClient own(c[0].attach(3));
  TestClient far(c[1].attach(4));
  Seen at_first, at_second, at_own;
  for (TestClient* client : {&first, &second, &own, &far}) {
    client->join("chat");
    c.turn(50);
  }
  for (TestClient* client : {&first, &second, &own}) (void)client->read();

  for (int i = 0; i < 200; ++i) {
    (i % 2 == 0 ? far : first).send("chat", "message " + std::to_string(i));
    if (i == 100) own.leave("chat");
    if (i == 120) own.join("chat");
    c.turn(20);
    add(at_first, first);
    add(at_second, second);
    add(at_own, own);
  }
  c.change_view({0});
  c.turn(50);
  add(at_first, first);
  add(at_second, second);

  EXPECT_EQ(messages(at_first).size(), 200U);
  EXPECT_EQ(at_first, at_second);
  EXPECT_NE(std::find(at_first.begin(), at_first.end(), "g-1:3/2"), at_first.end());
  EXPECT_NE(std::find(at_first.begin(), at_first.end(), "v1"), at_first.end());
  EXPECT_EQ(messages(at_own).size(), 180U);
}

TEST(SharedLog, LongMessagesPassInPieces) {
  TestCluster c(
      1, NodeOptions{.message_bytes_max = 200'000, .memory_scale = 4, .shared_log = 1u << 20});
  c.change_view({0});
  TestClient reader(c[0].attach(1, true), c[0].log_fd());
  TestClient own(c[0].attach(2));
  TestClient writer(c[0].attach(3));
  for (TestClient* client : {&reader, &own}) client->join("chat");
  writer.open("chat");
  c.turn(10);
  (void)reader.read();
  (void)own.read();
  Seen at_reader, at_own, sent;

  for (int i = 0; i < 20; ++i) {
    sent.push_back("m:" + std::string(190'000, static_cast<char>('a' + i)));
    ASSERT_TRUE(writer.send("chat", std::string_view(sent.back()).substr(2)));
    ASSERT_TRUE(writer.send("chat", "small"));
    sent.emplace_back("m:small");
    c.turn(20);
    add(at_reader, reader);
    add(at_own, own);
  }

  EXPECT_EQ(at_reader, sent);
  EXPECT_EQ(at_own, sent);
}

// The lane goes on as if nothing was, and the others see the laggard leave at one place.
TEST(SharedLog, WhoFallsBehindIsEvictedAndTheLaneNeverWaits) {
  TestCluster c(1, NodeOptions{.shared_log = 64u << 10});
  c.change_view({0});
  TestClient slow(c[0].attach(1, true), c[0].log_fd());
  TestClient quick(c[0].attach(2, true), c[0].log_fd());
  TestClient writer(c[0].attach(3));
  for (TestClient* client : {&slow, &quick}) client->join("chat");
  writer.open("chat");
  c.turn(10);
  (void)slow.read();
  Seen at_quick;

  const TimeNs begin = c.now;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(writer.send("chat", "message " + std::to_string(i)));
    c.turn(2);
    add(at_quick, quick);
    ASSERT_EQ(messages(at_quick).size(), static_cast<std::size_t>(i + 1));
  }
  const TimeNs took = c.now - begin;
  c.turn(10);
  add(at_quick, quick);

  EXPECT_EQ(slow.channel.state(), shm::ChannelState::Evicted);
  EXPECT_TRUE(slow.read().empty());  // What it had not copied may be written over.
  EXPECT_NE(std::find(at_quick.begin(), at_quick.end(), "g-1:1/4"), at_quick.end());
  EXPECT_EQ(c[0].plane.counter(shm::Counter::ClientsEvicted), 1U);
  EXPECT_EQ(quick.channel.state(), shm::ChannelState::Open);
  EXPECT_EQ(took, 2000U * 2 * 5 * kMicrosecond);
}

// What it has not read is written over from then on: it must not take that for messages.
TEST(SharedLog, WhoHangsUpIsTold) {
  TestCluster c(1, NodeOptions{.shared_log = 64u << 10});
  c.change_view({0});
  ClientPort& port = c[0].attach(1, true);
  TestClient reader(port, c[0].log_fd());
  reader.join("chat");
  c.turn(10);
  ASSERT_EQ(reader.channel.state(), shm::ChannelState::Open);

  c[0].mailbox.order({.kind = WorkerOrder::Kind::ClientGone, .port = &port});
  c.turn(1);

  EXPECT_EQ(reader.channel.state(), shm::ChannelState::Disconnected);
}

TEST(SharedLog, HowFarAReaderLagsIsShown) {
  TestCluster c(1, NodeOptions{.shared_log = 64u << 10});
  c.change_view({0});
  TestClient reader(c[0].attach(1, true), c[0].log_fd());
  TestClient writer(c[0].attach(2));
  reader.join("chat");
  writer.open("chat");
  c.turn(10);
  (void)reader.read();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(writer.send("chat", std::string(256, 'x')));
    c.turn(1);
  }
  c.now += 200 * kMillisecond;  // Tables are written now and then.
  c.turn(2);

  const auto tables = std::make_unique<shm::StatisticsTables>();
  ASSERT_TRUE(shm::read_tables(c[0].statistics(), *tables));
  EXPECT_EQ(tables->client[0].deliver_bytes, 64U << 10);
  EXPECT_GT(tables->client[0].deliver_queued, 100U * 256);
}

TEST(SharedLog, WhoLiesAboutItsPositionIsDisconnectedAlone) {
  TestCluster c(1, NodeOptions{.shared_log = 64u << 10});
  c.change_view({0});
  ClientPort& port = c[0].attach(1, true);
  TestClient liar(port, c[0].log_fd());
  TestClient quick(c[0].attach(2, true), c[0].log_fd());
  TestClient writer(c[0].attach(3));
  for (TestClient* client : {&liar, &quick}) client->join("chat");
  writer.open("chat");
  c.turn(10);
  (void)liar.read();
  Seen at_quick;
  void* memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, port.channel.memory_fd(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  static_cast<shm::ChannelPage*>(memory)->log_head.position = 1u << 30;
  munmap(memory, 4096);

  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(writer.send("chat", "message " + std::to_string(i)));
    c.turn(2);
    add(at_quick, quick);
  }

  EXPECT_EQ(messages(at_quick).size(), 2000U);
  EXPECT_EQ(c[0].plane.counter(shm::Counter::ClientsBad), 1U);
  EXPECT_EQ(c[0].notices(MainNotice::Kind::HangUp), 1U);
}

}  // namespace
}  // namespace phalanx::worker
