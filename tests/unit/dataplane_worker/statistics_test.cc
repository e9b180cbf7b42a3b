#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <string>

#include "ipc/shm/statistics_memory.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using testing::NodeOptions;
using testing::TestClient;
using testing::TestCluster;

std::unique_ptr<shm::StatisticsTables> tables_of(TestCluster& c, std::size_t node) {
  for (int i = 0; i < 200; ++i) {  // They are written every 100 ms.
    c.now += kMillisecond;
    c.turn();
  }
  auto tables = std::make_unique<shm::StatisticsTables>();
  EXPECT_TRUE(shm::read_tables(c[node].statistics(), *tables));
  return tables;
}

TEST(Statistics, MemoryIsWrittenByItsMakerAlone) {
  const auto made = shm::StatisticsMemory::create({.node = 3, .boot = {}}, 77);
  ASSERT_TRUE(made);
  EXPECT_EQ(mmap(nullptr, sizeof(shm::StatisticsLayout), PROT_READ | PROT_WRITE, MAP_SHARED,
                 made->fd(), 0),
            MAP_FAILED);

  const auto mapped = shm::StatisticsMemory::map(Fd(fcntl(made->fd(), F_DUPFD_CLOEXEC, 0)));
  ASSERT_TRUE(mapped);
  shm::write_status(made->writable(), {.written_at = 9, .members = 1000, .lanes = 1000});
  shm::WorkerStatus seen;
  ASSERT_TRUE(shm::read_status(mapped->layout(), seen));
  EXPECT_EQ(seen.written_at, 9U);
  EXPECT_EQ(seen.members, kNodesMax);  // Whatever it says: no reader runs past its arrays.
  EXPECT_EQ(seen.lanes, kLanesMax);
  EXPECT_EQ(mapped->layout().self.node, 3U);
}

// Preempted or dead: what it had written before is what is known.
TEST(Statistics, OfAWriterThatStopsHalfWayTheLastWholeIsRead) {
  const auto made = shm::StatisticsMemory::create({.node = 3, .boot = {}}, 77);
  ASSERT_TRUE(made);
  for (const TimeNs whole : {TimeNs{1}, TimeNs{2}, TimeNs{3}}) {
    shm::write_status(made->writable(), {.written_at = whole});
    shm::begin_write(made->writable().status) = {.written_at = 99};

    shm::WorkerStatus seen;
    ASSERT_TRUE(shm::read_status(made->layout(), seen));
    EXPECT_EQ(seen.written_at, whole);
  }
}

TEST(Statistics, OtherMemoryIsRefused) {
  const Fd other(memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const auto mapped = shm::StatisticsMemory::map(Fd(fcntl(other.get(), F_DUPFD_CLOEXEC, 0)));

  ASSERT_FALSE(mapped);
  EXPECT_NE(mapped.error().observed.find("expected"), std::string::npos);
}

TEST(Statistics, EveryCounterHasAName) {
  for (std::size_t i = 0; i < shm::kCounters; ++i) {
    EXPECT_FALSE(shm::counter_name(static_cast<shm::Counter>(i)).empty()) << i;
  }
}

TEST(Statistics, GroupsAndClientsAreListedWithWhatTheyMove) {
  TestCluster c(2);
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(2));
  a.join("chat");
  b.join("chat");
  c.turn(100);
  for (int i = 0; i < 5; ++i) a.send("chat", "four");
  c.turn(100);

  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    const auto tables = tables_of(c, node);
    ASSERT_EQ(tables->groups, 1U);
    const shm::GroupStatus& group = tables->group[0];
    EXPECT_EQ(std::string(group.name, group.name_bytes), "chat");
    EXPECT_EQ(group.members, 2U);
    EXPECT_EQ(group.local, 1U);
    EXPECT_EQ(group.messages, 5U);
    EXPECT_EQ(group.bytes, 20U);
    ASSERT_EQ(tables->clients, 1U);
    EXPECT_GT(tables->client[0].deliver_queued, 0U);  // Nobody has read.
    EXPECT_EQ(tables->client[0].groups, 1U);
  }
  EXPECT_EQ(tables_of(c, 0)->client[0].submitted, 6U);  // A join, five messages.
  a.read();
  EXPECT_EQ(tables_of(c, 0)->client[0].deliver_queued, 0U);
}

TEST(Statistics, CountsOfAGroupOutliveAView) {
  TestCluster c(2);
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  a.join("chat");
  c.turn(100);
  a.send("chat", "one");
  c.turn(100);
  c.change_view({0, 1});
  a.send("chat", "two");
  c.turn(200);

  EXPECT_EQ(tables_of(c, 0)->group[0].messages, 2U);
}

TEST(Statistics, WhatWasLostIsToldByPeerAndLane) {
  TestCluster c(2);
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(2));
  a.join("chat");
  b.join("chat");
  c.turn(100);
  int frames = 0;
  c.wire.filter = [&](NodeId, NodeId, std::vector<std::byte>&) { return ++frames % 3 != 0; };
  for (int i = 0; i < 50; ++i) {
    a.send("chat", std::string(1000, 'x'));
    b.send("chat", std::string(1000, 'y'));
    c.turn(100);
  }
  c.wire.filter = nullptr;
  (void)tables_of(c, 0);

  std::uint64_t sent = 0;
  std::uint64_t heard = 0;
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    const shm::WorkerStatus status = c[node].plane.status().value();
    EXPECT_EQ(status.peer[0].naks_sent, status.lane[0].naks_sent);
    EXPECT_EQ(status.peer[0].naks_heard, status.lane[0].naks_heard);
    EXPECT_EQ(c[node].plane.counter(shm::Counter::RepairsSent), status.lane[0].repairs_sent);
    sent += status.lane[0].naks_sent;
    heard += status.lane[0].naks_heard;
  }
  EXPECT_GT(sent, 0U);
  EXPECT_GT(heard, 0U);
  EXPECT_LE(heard, sent);  // Some were lost as well.
}

}  // namespace
}  // namespace phalanx::worker
