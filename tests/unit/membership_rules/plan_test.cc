#include "controlplane/membership/plan.h"

#include <gtest/gtest.h>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using script::nodes;
using script::view_id;

const ViewId kOld = view_id(3, 1);
const ViewId kOther = view_id(4, 2);

wire::Prepare attempt_of(std::vector<Member> members) {
  return {view_id(9, 1), 7, std::move(members)};
}

wire::Report report(const ViewId& old_view, wire::LaneReport lane) {
  return {view_id(9, 1), old_view, {std::move(lane)}};
}

wire::LaneReport lane(Position received, std::vector<wire::Range> held = {}) {
  wire::LaneReport lane;
  lane.received = received;
  lane.held = std::move(held);
  return lane;
}

const wire::LanePlan& only_lane(const wire::Plan& plan) { return plan.sets.at(0).lanes.at(0); }

TEST(Plan, NamesTheAttemptItsKeyAndItsMembers) {
  const wire::Plan plan =
      make_plan(attempt_of(nodes({1, 2})), 1, std::vector{report({}, {}), report({}, {})});

  EXPECT_EQ(plan.attempt, view_id(9, 1));
  EXPECT_EQ(plan.key_id, 7u);
  EXPECT_EQ(plan.members, nodes({1, 2}));
}

TEST(Plan, TheCutIsTheLongestPrefixThatTheUnionHolds) {
  // 1 holds up to 100; 2 a stretch behind it; 1 another behind that; then byte 250 is nowhere.
  const wire::Plan plan = make_plan(attempt_of(nodes({1, 2})), 1,
                                    std::vector{report(kOld, lane(100, {{180, 250}, {260, 300}})),
                                                report(kOld, lane(80, {{100, 200}, {270, 280}}))});

  EXPECT_EQ(only_lane(plan).cut, 250u);
}

TEST(Plan, RegularIsTheMostThatAnyoneDeliveredOrKnowsToBeStable) {
  wire::LaneReport one = lane(100);
  one.delivered = 40;
  one.stable = 60;
  wire::LaneReport two = lane(90);
  two.delivered = 80;
  two.stable = 50;

  EXPECT_EQ(only_lane(make_plan(attempt_of(nodes({1, 2})), 1,
                                std::vector{report(kOld, one), report(kOld, two)}))
                .regular,
            80u);
  two.delivered = 0;
  EXPECT_EQ(only_lane(make_plan(attempt_of(nodes({1, 2})), 1,
                                std::vector{report(kOld, one), report(kOld, two)}))
                .regular,
            60u);
}

TEST(Plan, MembersOfOneOldViewAreOneTransitionalSet) {
  const wire::Plan plan = make_plan(attempt_of(nodes({1, 2, 3, 4})), 1,
                                    std::vector{report(kOther, lane(10)), report(kOld, lane(70)),
                                                report({}, {}), report(kOther, lane(30))});

  ASSERT_EQ(plan.sets.size(), 2u);  // Sorted by old view; node 3 had none.
  EXPECT_EQ(plan.sets[0].old_view, kOld);
  EXPECT_EQ(plan.sets[0].members, nodes({2}));
  EXPECT_EQ(plan.sets[1].members, nodes({1, 4}));
  EXPECT_EQ(plan.sets[0].lanes[0].cut, 70u);
  EXPECT_EQ(plan.sets[1].lanes[0].cut, 30u);  // Another log: never mixed.
  EXPECT_EQ(set_of(plan, kOther), &plan.sets[1]);
  EXPECT_EQ(set_of(plan, {}), nullptr);
}

TEST(Plan, StreamsAreThoseOfTheSetAndBasesThoseOfAllMembersLaneByLane) {
  wire::Report one{view_id(9, 1), {}, {lane(0), lane(0)}};
  wire::Report two{view_id(9, 1), kOld, {lane(0), lane(0)}};
  one.lanes[0].stream_end = 5;
  one.lanes[1].stream_end = 6;
  two.lanes[0].stream_base = 3;
  two.lanes[0].stream_end = 7;
  two.lanes[1].stream_end = 8;

  const wire::Plan plan = make_plan(attempt_of(nodes({1, 2})), 2, std::vector{one, two});

  EXPECT_EQ(plan.stream_bases, (std::vector<Position>{5, 7, 6, 8}));
  EXPECT_EQ(only_lane(plan).streams, (std::vector<wire::Range>{{3, 7}}));
}

TEST(Plan, EachStretchComesFromWhoReachesFurthestAndOfEqualsFromTheLowestRank) {
  const wire::Plan plan = make_plan(attempt_of(nodes({1, 2, 3})), 1,
                                    std::vector{report(kOld, lane(50)), report(kOld, lane(90)),
                                                report(kOld, lane(90, {{95, 200}}))});

  ASSERT_EQ(only_lane(plan).cut, 90u);
  EXPECT_EQ(only_lane(plan).holdings, (std::vector<wire::Holding>{{{50, 90}, 2}}));
}

TEST(Plan, HoldingsCoverFromTheLowestReceivedToTheCutWithoutAGap) {
  const wire::Plan plan =
      make_plan(attempt_of(nodes({1, 2, 3})), 1,
                std::vector{report(kOld, lane(50, {{120, 160}})), report(kOld, lane(80)),
                            report(kOld, lane(20, {{70, 130}}))});

  EXPECT_EQ(only_lane(plan).holdings,
            (std::vector<wire::Holding>{{{20, 80}, 2}, {{80, 130}, 3}, {{130, 160}, 1}}));
}

TEST(Plan, NobodySendsWhatAllHold) {
  const wire::Plan plan = make_plan(attempt_of(nodes({1, 2})), 1,
                                    std::vector{report(kOld, lane(90)), report(kOld, lane(90))});

  EXPECT_TRUE(only_lane(plan).holdings.empty());
}

// Everything below `received` of anyone may have been delivered; what lies above was not.
TEST(Plan, ATornLogLowersTheCutButNeverBelowWhatSomebodyMayHaveDelivered) {
  std::vector<wire::LaneReport> lanes{lane(100), lane(5000)};
  Position at = 5000;
  while (lanes[1].held.size() < 60) {  // The two hold turns of ten bytes.
    lanes[0].held.push_back({at, at + 10});
    if (at > 5000)
      lanes[1].held.push_back({at + 10, at + 20});
    else
      lanes[1].received = 5020;
    at += 20;
  }

  const wire::Plan plan = make_plan(attempt_of(nodes({1, 2})), 1,
                                    std::vector{report(kOld, lanes[0]), report(kOld, lanes[1])});

  EXPECT_GE(only_lane(plan).cut, 5020u);
  EXPECT_LT(only_lane(plan).cut, at);
  EXPECT_LE(only_lane(plan).holdings.size(), 65u);
  EXPECT_EQ(only_lane(plan).holdings.back().range.to, only_lane(plan).cut);
}

TEST(Plan, IsWhatTheWireAcceptsAndSmallEnoughForTheSharedMemory) {
  std::vector<Member> members;
  std::vector<wire::Report> reports;
  for (NodeId id = 1; id <= kNodesMax; ++id) {
    members.push_back(script::node(id));
    wire::Report one{view_id(9, 1), view_id(1 + id % 32, 1), {}};
    for (LaneId l = 0; l < kLanesMax; ++l) {
      wire::LaneReport torn = lane(1000 + id);
      for (Position at = 2000; torn.held.size() < wire::kRangesMax; at += 40) {
        torn.held.push_back({at + id % 2 * 20, at + id % 2 * 20 + 20});
      }
      one.lanes.push_back(torn);
    }
    reports.push_back(one);
  }

  const wire::Plan plan = make_plan(attempt_of(members), kLanesMax, reports);
  std::vector<std::byte> bytes;
  wire::encode(plan, bytes);

  EXPECT_LT(bytes.size(), 60'000u);
  EXPECT_EQ(wire::decode_plan(bytes), plan);
}

}  // namespace
}  // namespace phalanx::membership
