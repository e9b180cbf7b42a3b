#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/top/tables.h"

namespace phalanx::cli {
namespace {

struct TopTables : testing::Test {
  TopTables() {
    before->taken_at = kSecond;
    now->taken_at = 3 * kSecond;  // Two seconds.
    now->status.written_at = now->taken_at;
  }
  TopTable table(View view) const {
    return table_of(view, {.before = *before, .now = *now, .names = names});
  }
  static std::string cell(const TopTable& table, std::size_t row, std::string_view heading) {
    for (std::size_t i = 0; i < table.headings.size(); ++i) {
      if (table.headings[i] == heading) return table.rows.at(row).at(i).text;
    }
    return "no such column";
  }

  std::unique_ptr<watch::Sample> before = std::make_unique<watch::Sample>();
  std::unique_ptr<watch::Sample> now = std::make_unique<watch::Sample>();
  std::map<NodeId, std::string> names{{2, "two"}};
};

TEST_F(TopTables, RatesAreOfTheTimeBetweenTwoSamples) {
  before->counters[static_cast<std::size_t>(shm::Counter::BusyNs)] = 5 * kSecond;
  now->counters[static_cast<std::size_t>(shm::Counter::BusyNs)] = 6 * kSecond;
  now->counters[static_cast<std::size_t>(shm::Counter::Submitted)] = 40;

  const TopTable workers = table(View::Workers);
  EXPECT_EQ(cell(workers, 0, "busy %"), "50.0");
  EXPECT_EQ(cell(workers, 0, "sent/s"), "20");
  EXPECT_EQ(cell(workers, 0, "state"), "turning");
}

TEST_F(TopTables, ACounterThatBeganAnewIsNoHugeRate) {
  before->counters[static_cast<std::size_t>(shm::Counter::Submitted)] = 1'000'000;

  EXPECT_EQ(cell(table(View::Workers), 0, "sent/s"), "0");
}

TEST_F(TopTables, AWorkerThatShowsNothingForASecondIsSilent) {
  now->status.written_at = now->taken_at - watch::kSilentAfter - 1;

  EXPECT_EQ(cell(table(View::Workers), 0, "state"), "silent");
}

TEST_F(TopTables, ALaneShowsHowFullItsWindowIs) {
  now->status.lanes = 1;
  now->status.lane[0] = {.received = 1000, .stable = 500, .window = 2000, .divergences = 1};

  const TopTable lanes = table(View::Lanes);
  EXPECT_EQ(cell(lanes, 0, "unstable"), "500");
  EXPECT_EQ(cell(lanes, 0, "window %"), "25.0");
  EXPECT_EQ(cell(lanes, 0, "state"), "diverged");
}

TEST_F(TopTables, RowsAreSortedByTheChosenColumn) {
  now->tables.groups = 3;
  const char* group_names = "bca";
  for (std::uint32_t i = 0; i < 3; ++i) {
    now->tables.group[i] = {.id = i, .members = 5 - i, .name_bytes = 1, .messages = 10 * i};
    now->tables.group[i].name[0] = group_names[i];
  }
  TopTable groups = table(View::Groups);
  sort_by(groups, 6, false);  // Messages, most on top.
  EXPECT_EQ(cell(groups, 0, "group"), "a");
  sort_by(groups, 0, true);  // Names, backwards.
  EXPECT_EQ(cell(groups, 0, "group"), "c");
  sort_by(groups, 99, false);  // No such column: as it was.
  EXPECT_EQ(cell(groups, 0, "group"), "c");
}

TEST_F(TopTables, PeersHaveTheirNamesAndAges) {
  now->status.members = 1;
  now->status.member[0].node = 2;
  now->status.peer[0] = {.node = 2, .heard = now->status.written_at - 5 * kMillisecond};
  now->status.peer[1] = {.node = 3};

  const TopTable peers = table(View::Peers);
  EXPECT_EQ(cell(peers, 0, "name"), "two");
  EXPECT_EQ(cell(peers, 0, "heard ms"), "5.0");
  EXPECT_EQ(cell(peers, 1, "in view"), "no");
  EXPECT_EQ(cell(peers, 1, "heard ms"), "-");
  EXPECT_TRUE(json_of(peers)[1]["heard_ms"].is_null());
}

}  // namespace
}  // namespace phalanx::cli
