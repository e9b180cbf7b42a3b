// Nodes of two workers each: one view for all lanes, and every lane as with one worker.

#include <gtest/gtest.h>

#include <algorithm>

#include "ipc/shm/group_id.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using shm::CommandKind;
using shm::WorkerEventKind;
using testing::messages;
using testing::TestClient;
using testing::TestCluster;

constexpr LaneId kLanes = 3;
const testing::NodeOptions kTwoWorkers{.lanes = kLanes, .workers = 2};

LaneId lane_of(const std::string& group) {
  return static_cast<LaneId>(shm::group_id(group.data(), group.size()) % kLanes);
}

/// A name whose group lies in the lane.
std::string group_in(LaneId lane) {
  for (int i = 0;; ++i) {
    std::string name = "g" + std::to_string(i);
    if (lane_of(name) == lane) return name;
  }
}

/// A client's channels with both workers of a node.
struct Both {
  Both(TestCluster& c, std::size_t node, ClientId id)
      : ports{&c.worker(node, 0).attach(id), &c.worker(node, 1).attach(id)},
        channel{TestClient(*ports[0]), TestClient(*ports[1])} {}
  TestClient& of(const std::string& group) { return channel[lane_of(group) % 2]; }

  ClientPort* ports[2];
  TestClient channel[2];
};

struct CrewTest : ::testing::Test {
  CrewTest() { c.change_view({0, 1, 2}); }
  TestCluster c{3, kTwoWorkers};
};

TEST_F(CrewTest, EveryLaneHasOneOrderOnAllNodes) {
  Both a(c, 0, 7);
  Both b(c, 1, 8);
  Both d(c, 2, 9);
  std::vector<std::string> groups;
  for (LaneId lane = 0; lane < kLanes; ++lane) groups.push_back(group_in(lane));
  for (const std::string& group : groups) {
    for (Both* client : {&a, &b, &d}) ASSERT_TRUE(client->of(group).join(group));
  }
  c.turn(100);
  for (int i = 0; i < 50; ++i) {
    for (const std::string& group : groups) {
      for (Both* client : {&a, &b, &d}) {
        const std::string text = group + ":" + std::to_string(i) +
                                 (client == &a   ? "a"
                                  : client == &b ? "b"
                                                 : "d");
        ASSERT_TRUE(client->of(group).send(group, text));
      }
    }
    c.turn(3);
  }
  c.turn(200);

  std::vector<std::string> seen[2];
  for (int w = 0; w < 2; ++w) seen[w] = messages(a.channel[w].read());
  EXPECT_EQ(seen[0].size(), 300U) << "of lanes 0 and 2";
  EXPECT_EQ(seen[1].size(), 150U);
  for (Both* client : {&b, &d}) {
    for (int w = 0; w < 2; ++w) {
      const auto theirs = messages(client->channel[w].read());
      ASSERT_EQ(theirs.size(), seen[w].size());
      for (LaneId lane = 0; lane < kLanes; ++lane) {
        const auto in_lane = [&](const std::string& m) {
          return m.starts_with("m:" + groups[lane]);
        };
        std::vector<std::string> mine;
        std::vector<std::string> other;
        std::ranges::copy_if(seen[w], std::back_inserter(mine), in_lane);
        std::ranges::copy_if(theirs, std::back_inserter(other), in_lane);
        EXPECT_EQ(mine, other);
      }
    }
  }
}

/// Two groups, each in a lane that its id would not have it in: one of each worker.
struct MappedCrewTest : ::testing::Test {
  static GroupId id(const std::string& name) { return shm::group_id(name.data(), name.size()); }
  static testing::NodeOptions options(const std::string& to_first, const std::string& to_second) {
    testing::NodeOptions out = kTwoWorkers;
    out.mapped = {{.group = id(to_first), .lane = 2}, {.group = id(to_second), .lane = 1}};
    std::ranges::sort(out.mapped, {}, &shm::MappedGroup::group);
    return out;
  }
  MappedCrewTest() { c.change_view({0, 1}); }

  const std::string first = group_in(1);
  const std::string second = group_in(0);
  TestCluster c{2, options(first, second)};
};

TEST_F(MappedCrewTest, AGroupIsInTheLaneItWasGivenWithAllItsMessages) {
  Both a(c, 0, 7);
  Both b(c, 1, 8);
  for (Both* client : {&a, &b}) {
    ASSERT_TRUE(client->channel[0].join(first));
    ASSERT_TRUE(client->channel[1].join(second));
  }
  c.turn(100);
  const std::string long_text(16 * 1024, 'x');  // Its lane is remembered over several turns.
  for (int i = 0; i < 20; ++i) {
    for (Both* client : {&a, &b}) {
      ASSERT_TRUE(client->channel[0].send(first, "1:" + std::to_string(i)));
      ASSERT_TRUE(client->channel[1].send(second, "2:" + std::to_string(i)));
    }
    c.turn(5);
  }
  ASSERT_TRUE(a.channel[0].send(first, long_text));
  ASSERT_TRUE(a.channel[1].leave(second));
  c.turn(200);

  const auto lane = [&](LaneId l) {
    return c.worker(0, static_cast<LaneId>(l % 2)).core->lane_status(l);
  };
  EXPECT_EQ(messages(a.channel[0].read()), messages(b.channel[0].read()));
  EXPECT_GE(messages(b.channel[1].read()).size(), 40U);
  // 40 messages each; of the first, a long one and two joins, of the second two joins and a leave.
  EXPECT_EQ(lane(2).records - lane(0).records, 43U);
  EXPECT_EQ(lane(1).records - lane(0).records, 43U);
}

TEST_F(MappedCrewTest, AClientThatTakesAGroupToAnotherWorkerIsPutOut) {
  Both a(c, 0, 7);
  ASSERT_TRUE(a.channel[1].join(first));  // As its id would have it.
  c.turn(20);

  EXPECT_EQ(c.worker(0, 1).notices(MainNotice::Kind::HangUp), 1U);
}

TEST_F(CrewTest, AViewIsOneForAllLanes) {
  Both a(c, 0, 7);
  const std::string other = group_in(1);
  ASSERT_TRUE(a.of(other).join(other));
  Both b(c, 2, 9);
  ASSERT_TRUE(b.of(other).join(other));
  c.turn(100);
  a.channel[0].read();
  a.channel[1].read();

  c.change_view({0, 1});
  c.turn(100);

  for (const std::size_t node : {0, 1}) {
    for (const std::size_t w : {0, 1}) {
      EXPECT_EQ(c.worker(node, w).core->view().sequence, 2U) << node << " " << w;
      EXPECT_EQ(c.worker(node, w).core->members().size(), 2U);
    }
  }
  // The node's view through the channel of the first worker, the group's through its lane's.
  EXPECT_EQ(a.channel[0].read(), (std::vector<std::string>{"t", "v1.2"}));
  EXPECT_EQ(a.channel[1].read(), (std::vector<std::string>{"g-3:9/6"}));
}

TEST_F(CrewTest, NothingIsAnsweredBeforeAllWorkersHaveDoneIt) {
  const ViewId attempt{.sequence = 9, .representative = 1, .boot = c[0].member().boot};
  (void)c[0].events();
  ASSERT_TRUE(c[0].plane.send({.kind = CommandKind::Freeze, .attempt = attempt}));

  c[0].worker->poll_once(c.now);
  c[0].worker->poll_once(c.now);
  EXPECT_TRUE(c[0].events().empty()) << "the second worker has not turned";
  c.worker(0, 1).worker->poll_once(c.now);
  c[0].worker->poll_once(c.now);

  const auto events = c[0].events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, WorkerEventKind::Frozen);
  EXPECT_EQ(wire::decode_report(events[0].bytes)->lanes.size(), std::size_t{kLanes});
  EXPECT_TRUE(c.worker(0, 1).core->frozen());
}

TEST_F(CrewTest, AnInstallThatNotAllCouldDoIsDoneByNone) {
  const ViewId attempt{.sequence = 9, .representative = 1, .boot = c[0].member().boot};
  wire::Plan plan{.attempt = attempt, .key_id = 1, .members = {c[0].member()}, .stream_bases = {}};
  plan.stream_bases.resize(kLanes);
  plan.ballots.resize(1);
  shm::Command install{.kind = CommandKind::Install, .attempt = attempt};
  wire::encode(plan, install.bytes);
  (void)c[0].events();

  ASSERT_TRUE(c[0].plane.send(install));
  c.turn(5);

  const auto events = c[0].events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, WorkerEventKind::Refused);
  EXPECT_EQ(c[0].core->view().sequence, 1U);
  EXPECT_EQ(c.worker(0, 1).core->view().sequence, 1U);
}

// A control frame sent again to another worker's port would be fresh there; a lane's, too.
TEST_F(CrewTest, FramesOfTheFirstWorkerComeToNothingAtAnother) {
  Both a(c, 0, 7);
  const std::string group = group_in(0);
  ASSERT_TRUE(a.of(group).join(group));
  std::vector<std::vector<std::byte>> heard;
  c.wire.filter = [&](NodeId, NodeId to, std::vector<std::byte>& frame) {
    if (to == 2) heard.push_back(frame);
    return true;
  };
  ASSERT_TRUE(c[0].plane.send(
      {.kind = CommandKind::SendControl, .message_kind = 1, .bytes = std::vector<std::byte>(10)}));
  c.turn(100);
  c.wire.filter = nullptr;
  (void)c[1].events();
  const std::uint64_t position = c.worker(1, 1).core->lane_status(1).received;

  ASSERT_GT(heard.size(), 3U);
  for (const auto& frame : heard) c.other_wires[0].carry(1, 2, frame);
  c.turn(10);

  EXPECT_TRUE(c[1].events().empty());
  EXPECT_EQ(c.worker(1, 1).core->lane_status(1).received, position);
  const auto& counted = c.worker(1, 1).statistics();
  EXPECT_GE(shm::read_counter(counted, shm::Counter::RxMalformed) +
                shm::read_counter(counted, shm::Counter::RxWrongState),
            heard.size());
}

TEST_F(CrewTest, AClientThatJoinsThroughTheWrongWorkerIsCut) {
  Both a(c, 0, 7);
  const std::string group = group_in(1);

  ASSERT_TRUE(a.channel[0].join(group));
  c.turn(5);

  EXPECT_EQ(c[0].notices(MainNotice::Kind::HangUp), 1U);
}

TEST_F(CrewTest, AnotherWorkersEvictionIsThisOnes) {
  Both a(c, 0, 7);
  Both b(c, 1, 8);
  const std::string group = group_in(1);
  for (Both* client : {&a, &b}) ASSERT_TRUE(client->of(group).join(group));
  c.turn(100);
  b.channel[1].read();

  c.worker(0, 1).mailbox.order({.kind = WorkerOrder::Kind::Evict, .port = a.ports[1]});
  c.turn(100);

  EXPECT_EQ(a.channel[1].channel.state(), shm::ChannelState::Evicted);
  EXPECT_EQ(b.channel[1].read(), (std::vector<std::string>{"g-1:7/4"}));
}

}  // namespace
}  // namespace phalanx::worker
