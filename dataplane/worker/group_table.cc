#include "dataplane/worker/group_table.h"

#include <algorithm>
#include <cstring>

#include "dataplane/core/group_state.h"
#include "ipc/base/bytes.h"

namespace phalanx::worker {
namespace {

std::vector<GroupMember>::iterator find(std::vector<GroupMember>& members, NodeId node,
                                        ClientId client) {
  const auto at = std::lower_bound(members.begin(), members.end(), GroupMember{node, client, 0});
  return at != members.end() && at->node == node && at->client == client ? at : members.end();
}

bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

ChangeReason reason_of(std::span<const std::byte> leave_payload) {
  if (leave_payload.empty()) return ChangeReason::Left;
  const auto code = static_cast<std::uint8_t>(leave_payload[0]);
  const auto last = static_cast<std::uint8_t>(ChangeReason::Evicted);
  return code >= 1 && code <= last ? static_cast<ChangeReason>(code) : ChangeReason::Left;
}

template <class T>
void put(std::vector<std::byte>& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof value);
  store_le<T>(out.data() + at, value);
}

}  // namespace

void GroupTable::apply(const core::LocalRecord& record, GroupChanges& out) {
  switch (record.header.kind) {
    case core::RecordKind::Join:
      on_join(record, out);
      break;
    case core::RecordKind::Leave:
      on_leave(record, out);
      break;
    case core::RecordKind::GroupState:
      on_group_state(record, out);
      break;
    case core::RecordKind::View:
      on_view(record, out);
      break;
    case core::RecordKind::Transitional:
      out.transitional = true;
      break;
    case core::RecordKind::App:
    case core::RecordKind::HandOver:
    case core::RecordKind::Pad:
      break;
  }
}

std::span<const ClientId> GroupTable::look_up(GroupId group, Slot& slot) noexcept {
  const auto at = groups_.find(group);
  slot = {.used = true, .group = group, .local = {}, .counts = nullptr};
  if (at != groups_.end()) {
    slot.local = at->second.local;
    slot.counts = &at->second.counts;
  }
  return slot.local;
}

void GroupTable::insert(Group& group, const GroupMember& member) {
  group.members.insert(std::lower_bound(group.members.begin(), group.members.end(), member),
                       member);
  if (member.node == self_) group.local.push_back(member.client);
}

void GroupTable::emit(GroupId id, const Group& group, GroupEvent event, GroupChanges& out) {
  event.group = id;
  event.name = group.name;
  event.members = group.members;
  event.recipients = group.local;
  for (const MemberChange& change : event.left) {
    if (change.member.node == self_) event.recipients.push_back(change.member.client);
  }
  out.groups.push_back(std::move(event));
}

void GroupTable::on_join(const core::LocalRecord& record, GroupChanges& out) {
  core::Membership join;
  if (!core::decode_join(record.payload, join)) return;
  Group& group = groups_[record.header.group];
  if (group.name.empty()) group.name = join.name;
  if (find(group.members, record.header.origin, record.header.client) != group.members.end())
    return;
  const GroupMember member{record.header.origin, record.header.client, join.process};
  insert(group, member);
  forget_cache();
  emit(record.header.group, group, {.joined = {{member, ChangeReason::Joined}}}, out);
}

void GroupTable::on_leave(const core::LocalRecord& record, GroupChanges& out) {
  const auto at = groups_.find(record.header.group);
  if (at == groups_.end()) return;
  Group& group = at->second;
  const auto member = find(group.members, record.header.origin, record.header.client);
  if (member == group.members.end()) return;
  GroupEvent event{.left = {{*member, reason_of(record.payload)}}};
  group.members.erase(member);
  if (record.header.origin == self_) std::erase(group.local, record.header.client);
  forget_cache();
  emit(at->first, group, std::move(event), out);
  if (group.members.empty()) groups_.erase(at);
}

/// Rule: with the view go, in one event a group, all members on nodes that do not come with us. Who
/// comes in is shown at the barrier.
void GroupTable::on_view(const core::LocalRecord& record, GroupChanges& out) {
  const auto view = core::decode_view_record(record.payload);
  if (!view) return;
  std::vector<NodeId> with_us{self_};
  NodeViewEvent node_view{.view = view->view, .quorate = view->quorate};
  for (const core::ViewRecord::Entry& entry : view->members) {
    const NodeId node = entry.member.node;
    node_view.members.push_back(node);
    if (entry.transitional) with_us.push_back(node);
    // A first view has no old one to come from: all its members are new, this node among them.
    if (view_members_.empty() || !contains(with_us, node)) node_view.joined.push_back(node);
  }
  for (const NodeId node : view_members_) {
    if (!contains(with_us, node)) node_view.left.push_back(node);
  }
  for (auto at = groups_.begin(); at != groups_.end();) {
    GroupEvent event;
    for (const GroupMember& member : at->second.members) {
      if (!contains(with_us, member.node)) event.left.push_back({member, ChangeReason::NodeLeft});
    }
    std::erase_if(at->second.members,
                  [&](const GroupMember& m) { return !contains(with_us, m.node); });
    if (!event.left.empty()) emit(at->first, at->second, std::move(event), out);
    at = at->second.members.empty() ? groups_.erase(at) : std::next(at);
  }
  forget_cache();
  view_members_ = node_view.members;
  awaited_ =
      node_view.members;  // A view that is overtaken before its barrier leaves nothing behind.
  announced_.clear();
  out.view = std::move(node_view);
}

void GroupTable::on_group_state(const core::LocalRecord& record, GroupChanges& out) {
  const NodeId node = record.header.origin;
  if (std::erase(awaited_, node) == 0) return;
  const std::size_t before = announced_.size();
  const bool good = core::decode_group_state(record.payload, [&](const core::Membership& m) {
    announced_.push_back({m.group, {node, m.client, m.process}, std::string(m.name)});
  });
  if (!good) announced_.resize(before);  // All or nothing, alike on every node.
  if (awaited_.empty()) pass_barrier(out);
}

/// Rule: membership is replaced here, never patched. What differs from what was shown is one event
/// a group; for nodes that came with us nothing differs.
void GroupTable::pass_barrier(GroupChanges& out) {
  std::map<GroupId, Group> next;
  for (const Announced& a : announced_) {
    Group& group = next[a.group];
    if (group.name.empty()) group.name = a.name;
    if (find(group.members, a.member.node, a.member.client) == group.members.end())
      insert(group, a.member);
  }
  for (const auto& [id, old] : groups_) {
    Group& group = next[id];
    group.counts = old.counts;
    if (group.name.empty()) group.name = old.name;
  }
  for (auto at = next.begin(); at != next.end();) {
    const auto old = groups_.find(at->first);
    std::vector<GroupMember> shown =
        old == groups_.end() ? std::vector<GroupMember>{} : old->second.members;
    GroupEvent event;
    for (const GroupMember& m : at->second.members) {
      if (find(shown, m.node, m.client) == shown.end())
        event.joined.push_back({m, ChangeReason::NodeJoined});
    }
    for (const GroupMember& m : shown) {
      if (find(at->second.members, m.node, m.client) == at->second.members.end()) {
        event.left.push_back({m, ChangeReason::NodeLeft});
      }
    }
    if (!event.joined.empty() || !event.left.empty())
      emit(at->first, at->second, std::move(event), out);
    at = at->second.members.empty() ? next.erase(at) : std::next(at);
  }
  groups_ = std::move(next);
  announced_.clear();
  forget_cache();
}

std::size_t GroupTable::status(LaneId lane, std::span<shm::GroupStatus> out) const noexcept {
  std::size_t rows = 0;
  for (const auto& [id, group] : groups_) {
    if (rows == out.size()) break;
    shm::GroupStatus& row = out[rows++];
    row = {.id = id,
           .lane = lane,
           .members = static_cast<std::uint32_t>(group.members.size()),
           .local = static_cast<std::uint32_t>(group.local.size()),
           .name_bytes =
               static_cast<std::uint32_t>(std::min(group.name.size(), shm::kListedNameBytes)),
           .messages = group.counts.messages,
           .bytes = group.counts.bytes};
    std::memcpy(row.name, group.name.data(), row.name_bytes);
  }
  return rows;
}

std::uint32_t GroupTable::list(LaneId lane, std::vector<std::byte>& out,
                               std::size_t bytes_max) const {
  std::uint32_t count = 0;
  for (const auto& [id, group] : groups_) {
    const std::size_t need = 8 + 2 + 1 + group.name.size() + 4 + 12 * group.members.size();
    if (out.size() + need > bytes_max) break;
    put<std::uint64_t>(out, id);
    put<std::uint16_t>(out, lane);
    put<std::uint8_t>(out, static_cast<std::uint8_t>(group.name.size()));
    for (const char c : group.name) out.push_back(static_cast<std::byte>(c));
    put<std::uint32_t>(out, static_cast<std::uint32_t>(group.members.size()));
    for (const GroupMember& m : group.members) {
      put<std::uint32_t>(out, m.node);
      put<std::uint32_t>(out, m.client);
      put<std::uint32_t>(out, m.process);
    }
    ++count;
  }
  return count;
}

}  // namespace phalanx::worker
