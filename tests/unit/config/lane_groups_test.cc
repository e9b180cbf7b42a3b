#include <gtest/gtest.h>

#include "config/diff.h"
#include "config/explain.h"
#include "config/load.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

std::string with(const std::string& groups, int lanes = 4) {
  return "[cluster]\nlanes = " + std::to_string(lanes) + "\n[lane.groups]\n" + groups;
}

Config parsed(const std::string& text) {
  const auto config = parse_with(text);
  EXPECT_TRUE(config) << errors_of(config);
  return config ? *config : Config{};
}

const std::string kAllowed =
    "  allowed: \"NAME\" = LANE: a name of 1 to 128 bytes, a lane below cluster.lanes; "
    "at most 256 lines\n";

TEST(LaneGroups, NoneAreNamedUnlessTheFileDoes) {
  EXPECT_TRUE(parsed("").lane.groups.empty());
  EXPECT_TRUE(parsed(with("")).lane.groups.empty());
}

TEST(LaneGroups, AreTakenByTheirExactNames) {
  const Config config = parsed(with("orders = 3\n\"md feed.v2\" = 0\n"));

  EXPECT_EQ(config.lane.groups, (std::vector<GroupLane>{{.name = "md feed.v2", .lane = 0},
                                                        {.name = "orders", .lane = 3}}));
}

TEST(LaneGroups, StandBesideTheOtherKeysOfLanes) {
  const Config config =
      parsed("[cluster]\nlanes = 2\n[lane]\nlog = \"32MiB\"\ngroups = { \"a b\" = 1, c = 0 }\n");

  EXPECT_EQ(config.lane.log, 32U << 20);
  EXPECT_EQ(config.lane.groups.size(), 2U);
}

TEST(LaneGroups, TheLongestNameIsTaken) {
  EXPECT_EQ(parsed(with(std::string(128, 'x') + " = 1\n")).lane.groups.size(), 1U);
}

TEST(LaneGroups, ALaneThatThereIsNotIsRefused) {
  EXPECT_EQ(errors_of(with("a = 1\norders = 2\n", 2)),
            "t.toml:7:1: error: lane.groups: \"orders\" = 2, and cluster.lanes = 2\n"
            "  allowed: lanes 0 to 1\n"
            "  remedy:  take one of these, or set cluster.lanes = 3 or more on all nodes\n");
  EXPECT_EQ(errors_of(with("orders = 1\n", 1)),
            "t.toml:6:1: error: lane.groups: \"orders\" = 1, and cluster.lanes = 1\n"
            "  allowed: lane 0\n"
            "  remedy:  take one of these, or set cluster.lanes = 2 or more on all nodes\n");
}

TEST(LaneGroups, WhatIsNoLaneIsRefused) {
  for (const std::string lane : {"8", "-1", "\"3\"", "1.5", "true"}) {
    EXPECT_EQ(errors_of(with("orders = " + lane + "\n")),
              "t.toml:6:1: error: lane.groups: \"orders\" = " +
                  (lane == "1.5" ? "a number with a fraction" : lane) + " is not a lane\n" +
                  kAllowed + "  remedy:  write it as in: \"orders\" = 0\n");
  }
}

TEST(LaneGroups, ANameWithDotsGoesInQuotes) {
  EXPECT_EQ(errors_of(with("audit.eu = 1\n")),
            "t.toml:6:1: error: lane.groups: \"audit\" = a table is not a lane\n" + kAllowed +
                "  remedy:  a name with dots goes in quotes: \"audit.x\" = 0\n");
}

TEST(LaneGroups, AGroupHasAName) {
  EXPECT_EQ(errors_of(with("\"\" = 1\n")),
            "t.toml:6:1: error: lane.groups: \"\" = 1 is of a group without a name\n" + kAllowed +
                "  remedy:  write it as in: \"orders\" = 0\n");
}

TEST(LaneGroups, ANameIsNoLongerThanAGroupsMayBe) {
  EXPECT_EQ(errors_of(with(std::string(129, 'x') + " = 1\n")),
            "t.toml:6:1: error: lane.groups: the name \"" + std::string(32, 'x') +
                "\"... has 129 bytes\n" + kAllowed + "  remedy:  write it as in: \"orders\" = 0\n");
}

TEST(LaneGroups, AreNoMoreThanThereIsRoomFor) {
  std::string groups;
  for (int i = 0; i < 256; ++i) groups += "g" + std::to_string(i) + " = 1\n";
  EXPECT_EQ(parsed(with(groups)).lane.groups.size(), 256U);

  EXPECT_EQ(errors_of(with(groups + "more = 1\n")),
            "t.toml:5:1: error: lane.groups names 257 groups\n"
            "  allowed: at most 256\n"
            "  remedy:  take those out for which any lane will do\n");
}

TEST(LaneGroups, ANameComesOnce) {
  const std::string said = errors_of(with("orders = 1\n\"orders\" = 1\n"));

  EXPECT_NE(said.find("t.toml:7:"), std::string::npos) << said;
  EXPECT_NE(said.find("orders"), std::string::npos) << said;
  EXPECT_NE(said.find("  allowed: each key and each table once\n"
                      "  remedy:  take one of the two out\n"),
            std::string::npos)
      << said;
}

TEST(LaneGroups, AreATable) {
  EXPECT_EQ(errors_of("[lane]\ngroups = 3\n"),
            "t.toml:4:10: error: lane.groups = 3 is not a table\n" + kAllowed +
                "  remedy:  [lane.groups] on a line of its own, then \"NAME\" = LANE\n");
}

TEST(LaneGroups, KeepNodesApartThatDoNotAgreeOnThem) {
  const auto hash = [](const std::string& groups) { return cluster_hash(parsed(with(groups))); };

  EXPECT_NE(hash("orders = 1\n"), hash(""));
  EXPECT_NE(hash("orders = 1\n"), hash("orders = 2\n"));
  EXPECT_NE(hash("orders = 1\n"), hash("order = 1\n"));
  EXPECT_EQ(hash("a = 1\nb = 2\n"), hash("b = 2\n\"a\" = 1\n"));
}

// Another lane is another order: what is on its way in the old one would overtake or be overtaken.
TEST(LaneGroups, ChangeWithARestartOnly) {
  const Config running = parsed(with("orders = 1\n"));
  const Config wanted = parsed(with("orders = 2\n"));

  EXPECT_EQ(diff(running, wanted).restart, std::vector<std::string>{"lane.groups"});
  EXPECT_TRUE(diff(running, wanted).live.empty());
  EXPECT_TRUE(diff(running, running).restart.empty());
}

TEST(LaneGroups, WhatIsShownIsReadBack) {
  const Config config = parsed(with("orders = 1\n\"a \\\"b\\\\\\u0007\\u007f\" = 2\n"));
  const auto again = parse(show(config), "s.toml", {.instance = "", .check_key_file = false});

  ASSERT_TRUE(again) << errors_of(again) << show(config);
  EXPECT_EQ(again->lane.groups, config.lane.groups);
  EXPECT_EQ(again->lane.groups[0].name, "a \"b\\\a\x7f");
  EXPECT_EQ(again->cluster.nodes, config.cluster.nodes);
}

TEST(LaneGroups, AreExplained) {
  for (const char* name : {"lane.groups", "lane", ""}) {
    const std::string text = explain(name);
    EXPECT_NE(text.find("lane.groups: a table, the names of groups and their lanes\n"),
              std::string::npos)
        << name;
    EXPECT_NE(text.find("scope:   equal on all nodes, read at start\n"), std::string::npos);
  }
  EXPECT_EQ(explain("lane.log").find("lane.groups:"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::config
