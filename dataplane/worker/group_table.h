#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/core/view_record.h"
#include "ipc/base/ids.h"
#include "ipc/shm/statistics_layout.h"

namespace phalanx::worker {

struct GroupMember {
  NodeId node = 0;
  ClientId client = 0;
  std::uint32_t process = 0;  ///< Its process id on its node.

  friend auto operator<=>(const GroupMember&, const GroupMember&) = default;
};

/// Why somebody left or joined a group. The first three are core::LeaveReason.
enum class ChangeReason : std::uint8_t {
  Left = 1,
  ClientDied = 2,
  Evicted = 3,
  NodeLeft = 4,  ///< Its node is not in this node's transitional set.
  Joined = 5,
  NodeJoined = 6,  ///< It was a member already when its node's view and ours became one.
};

struct MemberChange {
  GroupMember member;
  ChangeReason reason = ChangeReason::Joined;

  friend bool operator==(const MemberChange&, const MemberChange&) = default;
};

/// One change of one group, at one point of the order.
struct GroupEvent {
  GroupId group = 0;
  std::string name;
  std::vector<GroupMember> members;  ///< After the change, sorted.
  std::vector<MemberChange> left;
  std::vector<MemberChange> joined;
  std::vector<ClientId> recipients;  ///< Local members before or after the change.

  friend bool operator==(const GroupEvent&, const GroupEvent&) = default;
};

/// What this node installed, as its clients see it.
struct NodeViewEvent {
  ViewId view;
  bool quorate = false;
  std::vector<NodeId> members;
  std::vector<NodeId> left;    ///< Of the old view, outside the transitional set.
  std::vector<NodeId> joined;  ///< Of the new view, outside it: a node may be in both.

  friend bool operator==(const NodeViewEvent&, const NodeViewEvent&) = default;
};

/// All that one record changed. Reused from record to record: clear() keeps the memory.
struct GroupChanges {
  std::vector<GroupEvent> groups;
  std::optional<NodeViewEvent> view;
  bool transitional = false;

  void clear() noexcept {
    groups.clear();
    view.reset();
    transitional = false;
  }
};

/// Who is in which group of one lane: a replica, fed with the lane's records in local order.
/// Sans-I/O and deterministic: equal records give equal tables and events on every node. Its rules
/// are DESIGN's "Events per group": see README.md.
class GroupTable {
 public:
  explicit GroupTable(NodeId self) noexcept : self_(self) {}

  /// Any record but an application message. A record that says nothing new gives no change; bytes
  /// that make no sense are ignored (a peer that holds the cluster key wrote them).
  void apply(const core::LocalRecord& record, GroupChanges& out);

  /// Clients of this node that an application message for `group` goes to. Hot: a few loads.
  [[nodiscard]] std::span<const ClientId> local_members(GroupId group) noexcept {
    Slot& slot = cache_[static_cast<std::size_t>(group) % cache_.size()];
    if (slot.used && slot.group == group) [[likely]]
      return slot.local;
    return look_up(group, slot);
  }

  /// Notes messages that were ordered for `group`, which was looked up just now. Hot.
  void count(GroupId group, std::uint64_t messages, std::uint64_t bytes) noexcept {
    const Slot& slot = cache_[static_cast<std::size_t>(group) % cache_.size()];
    if (!slot.used || slot.group != group || slot.counts == nullptr) return;
    slot.counts->messages += messages;
    slot.counts->bytes += bytes;
  }

  [[nodiscard]] std::size_t size() const noexcept { return groups_.size(); }
  /// Fills rows for its groups, as far as there are any. Returns how many.
  std::size_t status(LaneId lane, std::span<shm::GroupStatus> out) const noexcept;
  /// True from a View record until every member's GroupState was seen.
  [[nodiscard]] bool before_barrier() const noexcept { return !awaited_.empty(); }
  /// Appends its groups, for each u64 id, u16 lane, u8 name length, name, u32 member count, and for
  /// each member u32 node, u32 client, u32 process; stops before `out` would pass `bytes_max`.
  /// Returns how many groups. A GroupList (WorkerEventKind::Groups) is u32 count, then the groups
  /// of all lanes.
  std::uint32_t list(LaneId lane, std::vector<std::byte>& out, std::size_t bytes_max) const;

 private:
  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;  ///< Payloads.
  };
  struct Group {
    Counts counts;
    std::string name;
    std::vector<GroupMember> members;  ///< Sorted.
    std::vector<ClientId> local;
  };
  /// What a GroupState said, held back until the barrier.
  struct Announced {
    GroupId group = 0;
    GroupMember member;
    std::string name;
  };
  struct Slot {
    bool used = false;
    GroupId group = 0;
    std::span<const ClientId> local;
    Counts* counts = nullptr;  ///< nullptr: no such group.
  };

  std::span<const ClientId> look_up(GroupId group, Slot& slot) noexcept;
  void on_join(const core::LocalRecord& record, GroupChanges& out);
  void on_leave(const core::LocalRecord& record, GroupChanges& out);
  void on_view(const core::LocalRecord& record, GroupChanges& out);
  void on_group_state(const core::LocalRecord& record, GroupChanges& out);
  void pass_barrier(GroupChanges& out);
  void insert(Group& group, const GroupMember& member);
  void emit(GroupId id, const Group& group, GroupEvent event, GroupChanges& out);
  void forget_cache() noexcept { cache_.fill({}); }

  NodeId self_;
  std::map<GroupId, Group> groups_;
  std::vector<NodeId> view_members_;
  std::vector<NodeId> awaited_;  ///< Members whose GroupState has not come yet.
  std::vector<Announced> announced_;
  std::array<Slot, 64> cache_{};
};

}  // namespace phalanx::worker
