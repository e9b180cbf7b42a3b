#include "dataplane/worker/group_table.h"

#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/core/group_state.h"
#include "ipc/base/bytes.h"

namespace phalanx::worker {
namespace {

using core::RecordKind;
constexpr GroupId kChat = 100;
constexpr GroupId kLog = 200;

/// Keeps the payloads of the records it makes alive, and feeds them to one node's table.
struct GroupTableTest : testing::Test {
  GroupTable table{1};
  GroupChanges changes;

  const GroupChanges& feed(RecordKind kind, NodeId origin, ClientId client, GroupId group,
                           std::span<const std::byte> payload) {
    core::LocalRecord record;
    record.header = {.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                     .kind = kind,
                     .origin = origin,
                     .client = client,
                     .group = group};
    record.payload = payload;
    changes.clear();
    table.apply(record, changes);
    return changes;
  }
  const GroupChanges& join(NodeId node, ClientId client, GroupId group) {
    std::vector<std::byte> payload(4 + 4);
    store_le<std::uint32_t>(payload.data(), process_of(client));
    std::memcpy(payload.data() + 4, "name", 4);
    return feed(RecordKind::Join, node, client, group, payload);
  }
  const GroupChanges& leave(NodeId node, ClientId client, GroupId group, core::LeaveReason reason) {
    const std::byte payload[1] = {static_cast<std::byte>(reason)};
    return feed(RecordKind::Leave, node, client, group, payload);
  }
  const GroupChanges& view(std::uint64_t sequence,
                           const std::vector<std::pair<NodeId, bool>>& members,
                           bool quorate = false) {
    core::ViewRecord record{.view = {sequence, 1, {}}, .quorate = quorate};
    for (const auto& [node, transitional] : members)
      record.members.push_back({{node, {}}, transitional});
    std::vector<std::byte> payload(core::view_record_bytes(record.members.size()));
    core::encode_view_record(record, payload);
    return feed(RecordKind::View, 1, 0, 0, payload);
  }
  const GroupChanges& state(NodeId node, const std::vector<std::pair<GroupId, ClientId>>& joins) {
    std::vector<core::Membership> all;
    all.reserve(joins.size());
    for (const auto& [group, client] : joins)
      all.push_back({group, client, process_of(client), "name"});
    std::vector<std::byte> payload(core::group_state_bytes(all));
    core::encode_group_state(all, payload);
    return feed(RecordKind::GroupState, node, 0, 0, payload);
  }
  static std::uint32_t process_of(ClientId client) { return 1000 + client; }
  static GroupMember member(NodeId node, ClientId client) {
    return {node, client, process_of(client)};
  }

  /// Nodes 1 and 2 in a view, one client each in kChat.
  void two_nodes_in_chat() {
    view(1, {{1, false}, {2, false}});
    state(1, {});
    state(2, {});
    join(1, 10, kChat);
    join(2, 20, kChat);
  }
};

TEST_F(GroupTableTest, AJoinIsOneEventForAllMembersAndTheJoiner) {
  view(1, {{1, false}});
  state(1, {});
  join(1, 10, kChat);

  const GroupChanges& now = join(2, 20, kChat);

  ASSERT_EQ(now.groups.size(), 1U);
  EXPECT_EQ(now.groups[0].group, kChat);
  EXPECT_EQ(now.groups[0].name, "name");
  EXPECT_EQ(now.groups[0].members, (std::vector{member(1, 10), member(2, 20)}));
  EXPECT_EQ(now.groups[0].joined, (std::vector{MemberChange{member(2, 20), ChangeReason::Joined}}));
  EXPECT_TRUE(now.groups[0].left.empty());
  EXPECT_EQ(now.groups[0].recipients, (std::vector<ClientId>{10}));
}

TEST_F(GroupTableTest, AViewEventSaysWhetherTheViewIsQuorate) {
  EXPECT_TRUE(view(7, {{1, true}, {2, false}}, /*quorate=*/true).view->quorate);
  EXPECT_FALSE(view(8, {{1, true}}, /*quorate=*/false).view->quorate);
}

TEST_F(GroupTableTest, ASecondJoinOfAMemberSaysNothing) {
  two_nodes_in_chat();

  EXPECT_TRUE(join(1, 10, kChat).groups.empty());
  EXPECT_EQ(table.local_members(kChat).size(), 1U);
}

TEST_F(GroupTableTest, ALeaveReachesTheLeaverAndNamesTheReason) {
  two_nodes_in_chat();

  const GroupChanges& now = leave(1, 10, kChat, core::LeaveReason::Evicted);

  ASSERT_EQ(now.groups.size(), 1U);
  EXPECT_EQ(now.groups[0].members, (std::vector{member(2, 20)}));
  EXPECT_EQ(now.groups[0].left, (std::vector{MemberChange{member(1, 10), ChangeReason::Evicted}}));
  EXPECT_EQ(now.groups[0].recipients, (std::vector<ClientId>{10}));
  EXPECT_TRUE(table.local_members(kChat).empty());
}

TEST_F(GroupTableTest, ALeaveOfAStrangerSaysNothing) {
  two_nodes_in_chat();

  EXPECT_TRUE(leave(2, 99, kChat, core::LeaveReason::Asked).groups.empty());
  EXPECT_TRUE(leave(2, 20, kLog, core::LeaveReason::Asked).groups.empty());
}

TEST_F(GroupTableTest, MessagesGoToLocalMembersOfTheirGroupOnly) {
  two_nodes_in_chat();
  join(1, 11, kChat);
  join(1, 12, kLog);

  EXPECT_EQ(std::vector(table.local_members(kChat).begin(), table.local_members(kChat).end()),
            (std::vector<ClientId>{10, 11}));
  EXPECT_EQ(table.local_members(kLog).size(), 1U);
  EXPECT_TRUE(table.local_members(777).empty());
}

TEST_F(GroupTableTest, TheLocalListFollowsAJoinThoughItWasCached) {
  EXPECT_TRUE(table.local_members(kChat).empty());

  join(1, 10, kChat);

  EXPECT_EQ(table.local_members(kChat).size(), 1U);
}

TEST_F(GroupTableTest, AFirstViewHasOnlyJoinedNodes) {
  const GroupChanges& now = view(1, {{1, true}, {2, false}});

  EXPECT_EQ(now.view->joined, (std::vector<NodeId>{1, 2}));
  EXPECT_TRUE(now.view->left.empty());
}

TEST_F(GroupTableTest, AllThatLeaveWithAViewAreOneEventAGroup) {
  view(1, {{1, false}, {2, false}, {3, false}});
  state(1, {{kChat, 10}});
  state(2, {{kChat, 20}, {kChat, 21}, {kLog, 20}});
  state(3, {{kChat, 30}});

  const GroupChanges& now = view(2, {{1, true}});

  ASSERT_EQ(now.groups.size(), 2U);
  EXPECT_EQ(now.groups[0].group, kChat);
  EXPECT_EQ(now.groups[0].members, (std::vector{member(1, 10)}));
  EXPECT_EQ(now.groups[0].left, (std::vector{MemberChange{member(2, 20), ChangeReason::NodeLeft},
                                             MemberChange{member(2, 21), ChangeReason::NodeLeft},
                                             MemberChange{member(3, 30), ChangeReason::NodeLeft}}));
  EXPECT_EQ(now.groups[1].group, kLog);
  EXPECT_TRUE(now.groups[1].members.empty());
  EXPECT_TRUE(now.groups[1].recipients.empty());
  EXPECT_EQ(now.view->left, (std::vector<NodeId>{2, 3}));
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(GroupTableTest, AllThatComeInAreOneEventAtTheBarrierAndNotBefore) {
  view(1, {{1, false}});
  state(1, {});
  join(1, 10, kChat);

  EXPECT_TRUE(view(2, {{1, true}, {2, false}, {3, false}}).groups.empty());
  EXPECT_TRUE(state(2, {{kChat, 20}, {kChat, 21}}).groups.empty());
  EXPECT_TRUE(state(1, {{kChat, 10}}).groups.empty());
  EXPECT_TRUE(table.before_barrier());
  const GroupChanges& now = state(3, {{kChat, 30}});

  EXPECT_FALSE(table.before_barrier());
  ASSERT_EQ(now.groups.size(), 1U);
  EXPECT_EQ(now.groups[0].joined,
            (std::vector{MemberChange{member(2, 20), ChangeReason::NodeJoined},
                         MemberChange{member(2, 21), ChangeReason::NodeJoined},
                         MemberChange{member(3, 30), ChangeReason::NodeJoined}}));
  EXPECT_EQ(now.groups[0].recipients, (std::vector<ClientId>{10}));
}

// After a partition heals a node comes from another old view: it left ours and joins the new one.
TEST_F(GroupTableTest, ANodeMayBothLeaveAndJoinWithOneView) {
  two_nodes_in_chat();

  const GroupChanges& left = view(5, {{1, true}, {2, false}});
  EXPECT_EQ(left.view->left, (std::vector<NodeId>{2}));
  EXPECT_EQ(left.view->joined, (std::vector<NodeId>{2}));
  ASSERT_EQ(left.groups.size(), 1U);
  EXPECT_EQ(left.groups[0].left[0].member, member(2, 20));

  state(1, {{kChat, 10}});
  const GroupChanges& joined = state(2, {{kChat, 20}});
  ASSERT_EQ(joined.groups.size(), 1U);
  EXPECT_EQ(joined.groups[0].joined[0].member, member(2, 20));
}

TEST_F(GroupTableTest, NodesThatComeAlongCauseNoEvent) {
  two_nodes_in_chat();

  EXPECT_TRUE(view(2, {{1, true}, {2, true}}).groups.empty());
  EXPECT_TRUE(state(1, {{kChat, 10}}).groups.empty());
  EXPECT_TRUE(state(2, {{kChat, 20}}).groups.empty());
}

// The second view comes before the barrier of the first: what the first would have shown is shown
// once, at the barrier of the second, also for a node that is in the transitional set by then.
TEST_F(GroupTableTest, AnOvertakenBarrierShowsItsJoinsAtTheNextOne) {
  view(1, {{1, false}});
  state(1, {});
  join(1, 10, kChat);
  view(2, {{1, true}, {2, false}, {3, false}});
  state(2, {{kChat, 20}});

  EXPECT_TRUE(view(3, {{1, true}, {2, true}}).groups.empty());
  EXPECT_TRUE(state(2, {{kChat, 20}}).groups.empty());
  const GroupChanges& now = state(1, {{kChat, 10}});

  ASSERT_EQ(now.groups.size(), 1U);
  EXPECT_EQ(now.groups[0].joined,
            (std::vector{MemberChange{member(2, 20), ChangeReason::NodeJoined}}));
}

TEST_F(GroupTableTest, TheTransitionalRecordIsTold) {
  EXPECT_TRUE(feed(RecordKind::Transitional, 1, 0, 0, {}).transitional);
}

TEST_F(GroupTableTest, BytesThatMakeNoSenseChangeNothing) {
  two_nodes_in_chat();
  const std::byte rubbish[3] = {};

  EXPECT_TRUE(feed(RecordKind::Join, 2, 22, kChat, rubbish).groups.empty());
  EXPECT_FALSE(feed(RecordKind::View, 1, 0, 0, rubbish).view);
  EXPECT_TRUE(feed(RecordKind::GroupState, 2, 0, 0, rubbish).groups.empty());
  EXPECT_EQ(table.local_members(kChat).size(), 1U);
}

TEST_F(GroupTableTest, ListsWholeGroupsWithinItsBound) {
  two_nodes_in_chat();
  join(1, 10, kLog);
  std::vector<std::byte> all;
  std::vector<std::byte> some;

  EXPECT_EQ(table.list(2, all, 1000), 2U);
  EXPECT_EQ(table.list(2, some, all.size() - 1), 1U);

  EXPECT_LT(some.size(), all.size());
}

}  // namespace
}  // namespace phalanx::worker
