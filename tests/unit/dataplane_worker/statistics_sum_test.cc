// What several workers show, taken together.

#include "ipc/shm/statistics_sum.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>

namespace phalanx::shm {
namespace {

constexpr ViewId kOld{.sequence = 4, .representative = 1, .boot = {{1}}};
constexpr ViewId kNew{.sequence = 5, .representative = 1, .boot = {{1}}};

struct StatisticsSum : testing::Test {
  StatisticsSum() {
    for (std::size_t w = 0; w < 2; ++w) {
      WorkerStatus& s = status[w];
      s.written_at = 100 + w;
      s.view = kNew;
      s.members = 2;
      s.lanes = 3;
      s.clients = 7;
      s.recovered = 1;
      s.gaps = {.longest = 10 * (w + 1), .recent = 20 - 10 * w};
      s.peer[0] = {.node = 2, .heard = 90 - 10 * w, .progressed = 80 + w, .naks_sent = 3};
      for (std::size_t lane = 0; lane < 3; ++lane) s.lane[lane].records = 100 * w + lane;
    }
  }
  WorkerStatus sum() {
    for (std::size_t w = 0; w < 2; ++w) write_status(memory.writable(w), status[w]);
    WorkerStatus out;
    EXPECT_TRUE(read_status(memory, out));
    return out;
  }
  StatisticsMemory memory = StatisticsMemory::create({.node = 3, .boot = {}}, 77, 2).value();
  WorkerStatus status[2];
};

TEST_F(StatisticsSum, LanesAreThoseOfTheirWorkers) {
  const WorkerStatus out = sum();

  EXPECT_EQ(out.lane[0].records, 0U);
  EXPECT_EQ(out.lane[1].records, 101U);
  EXPECT_EQ(out.lane[2].records, 2U);
  EXPECT_EQ(out.clients, 7U) << "all have the same clients";
}

TEST_F(StatisticsSum, APeerIsHeardWhenItIsOnEveryLane) {
  const WorkerStatus out = sum();

  EXPECT_EQ(out.peer[0].heard, 80U);
  EXPECT_EQ(out.peer[0].progressed, 80U);
  EXPECT_EQ(out.peer[0].naks_sent, 6U);
}

TEST_F(StatisticsSum, TheWorstIsShown) {
  const WorkerStatus out = sum();

  EXPECT_EQ(out.written_at, 100U);
  EXPECT_EQ(out.gaps.longest, 20U);
  EXPECT_EQ(out.gaps.recent, 20U);
}

TEST_F(StatisticsSum, AViewIsInstalledWhenAllHaveIt) {
  EXPECT_EQ(sum().view, kNew);
  status[1].view = kOld;
  status[1].members = 3;
  EXPECT_EQ(sum().view, kOld);
  EXPECT_EQ(sum().members, 3U);
}

TEST_F(StatisticsSum, OneThatHasNotRecoveredIsEnough) {
  EXPECT_EQ(sum().recovered, 1U);
  status[1].recovered = 0;
  status[1].frozen = 1;
  EXPECT_EQ(sum().recovered, 0U);
  EXPECT_EQ(sum().frozen, 1U);
}

TEST_F(StatisticsSum, CountersAreAddedUp) {
  memory.writable(0).counters[static_cast<std::size_t>(Counter::RxFrames)] = 5;
  memory.writable(1).counters[static_cast<std::size_t>(Counter::RxFrames)] = 7;

  EXPECT_EQ(read_counter(memory, Counter::RxFrames), 12U);
}

TEST_F(StatisticsSum, AClientHasOneRowAndGroupsAreListedAsThereIsRoom) {
  for (std::size_t w = 0; w < 2; ++w) {
    StatisticsTables& tables = memory.writable(w).tables.copy[0];
    tables.groups = 200;
    for (std::size_t i = 0; i < 200; ++i) tables.group[i].id = 1000 * w + i;
    tables.clients = 1 + static_cast<std::uint32_t>(w);
    tables.client[0] = {.id = 7, .groups = 1, .submitted = 3};
    tables.client[1] = {.id = 8, .groups = 5};
  }
  memory.writable(1).tables.copy[0].client[0].blocked_since = 50;

  const auto out = std::make_unique<StatisticsTables>();
  ASSERT_TRUE(read_tables(memory, *out));

  EXPECT_EQ(out->groups, kListedGroupsMax);
  EXPECT_EQ(out->groups_unlisted, 400U - kListedGroupsMax);
  EXPECT_EQ(out->group[200].id, 1000U);
  ASSERT_EQ(out->clients, 2U);
  EXPECT_EQ(out->client[0].groups, 2U);
  EXPECT_EQ(out->client[0].submitted, 6U);
  EXPECT_EQ(out->client[0].blocked_since, 50U);
  EXPECT_EQ(out->client[1].id, 8U);
}

TEST_F(StatisticsSum, OfAClientsRingsTheFullestIsShown) {
  for (std::size_t w = 0; w < 2; ++w) {
    StatisticsTables& tables = memory.writable(w).tables.copy[0];
    tables.clients = 1;
    tables.client[0] = {.id = 7,
                        .submit_bytes = 100,
                        .submit_queued = w == 0 ? 60U : 10U,
                        .deliver_bytes = w == 0 ? 1000U : 100U,
                        .deliver_queued = w == 0 ? 100U : 99U};
  }
  const auto out = std::make_unique<StatisticsTables>();
  ASSERT_TRUE(read_tables(memory, *out));

  EXPECT_EQ(out->client[0].submit_queued, 60U);
  EXPECT_EQ(out->client[0].deliver_queued, 99U);
  EXPECT_EQ(out->client[0].deliver_bytes, 100U);
}

TEST_F(StatisticsSum, IsTheSameForWhoMapsTheMemory) {
  (void)sum();
  const auto mapped = StatisticsMemory::map(Fd(fcntl(memory.fd(), F_DUPFD_CLOEXEC, 0)));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->workers(), 2U);

  WorkerStatus out;
  ASSERT_TRUE(read_status(*mapped, out));
  EXPECT_EQ(out.lane[1].records, 101U);
}

TEST_F(StatisticsSum, OneWriterThatStopsHalfWayHidesNothing) {
  const WorkerStatus before = sum();
  begin_write(memory.writable(1).status) = {};

  WorkerStatus out;
  ASSERT_TRUE(read_status(memory, out));
  EXPECT_EQ(out.lane[1].records, before.lane[1].records);
}

}  // namespace
}  // namespace phalanx::shm
