#include "ipc/shm/lane_map.h"

#include <gtest/gtest.h>

#include <vector>

namespace phalanx::shm {
namespace {

using Groups = std::vector<MappedGroup>;

LaneMap map_of(std::uint32_t lanes, const Groups& groups) {
  LaneMap map;
  EXPECT_TRUE(map.assign(lanes, groups));
  return map;
}

TEST(LaneMap, AGroupThatIsNotNamedIsWhereItsIdIs) {
  for (const LaneMap& map : {LaneMap(3), map_of(3, {{.group = 5, .lane = 0}})}) {
    EXPECT_EQ(map.lane_of(3), 0);
    EXPECT_EQ(map.lane_of(7), 1);
    EXPECT_EQ(map.lane_of(~GroupId{0}), static_cast<LaneId>(~GroupId{0} % 3));
  }
  EXPECT_EQ(LaneMap().lane_of(7), 0);
}

TEST(LaneMap, EachOfTheMostThatThereMayBeIsFoundAndNoneBesideThem) {
  Groups groups;
  for (GroupId id = 0; id < kGroupsMappedMax; ++id) {
    groups.push_back({.group = id * 1000, .lane = static_cast<std::uint32_t>((id + 1) % 4)});
  }
  const LaneMap map = map_of(4, groups);

  for (const MappedGroup& group : groups) {
    EXPECT_EQ(map.lane_of(group.group), group.lane);
    for (const GroupId other : {group.group + 1, group.group + 999}) {
      EXPECT_EQ(map.lane_of(other), other % 4) << other;
    }
  }
}

// It comes from another process.
TEST(LaneMap, WhatMakesNoSenseIsNotTaken) {
  LaneMap map = map_of(2, {{.group = 6, .lane = 1}});

  EXPECT_FALSE(map.assign(0, {}));
  EXPECT_FALSE(map.assign(kLanesMax + 1, {}));
  for (const Groups& groups :
       {Groups{{.group = 1, .lane = 2}}, Groups{{.group = 2, .lane = 0}, {.group = 1, .lane = 0}},
        Groups{{.group = 1, .lane = 0}, {.group = 1, .lane = 1}}, Groups(kGroupsMappedMax + 1)}) {
    EXPECT_FALSE(map.assign(2, groups));
  }
  EXPECT_EQ(map.lane_of(6), 1) << "it is as it was";
}

}  // namespace
}  // namespace phalanx::shm
