#include "ipc/client/events.h"

#include <cstring>

namespace phalanx::client {
namespace {

static_assert(sizeof(phx_member) == sizeof(shm::GroupMember));
static_assert(offsetof(phx_member, reason) == offsetof(shm::GroupMember, reason));
static_assert(PHX_FLAG_SAFE == shm::kEventSafe && PHX_FLAG_TRANSITIONAL == shm::kEventTransitional);
static_assert(PHX_REASON_NODE_LEFT == static_cast<int>(shm::MemberReason::NodeLeft));

/// Takes typed parts off a body; sticks to false once something did not fit.
class BodyReader {
 public:
  explicit BodyReader(std::span<const std::byte> body) noexcept
      : at_(body.data()), left_(body.size()) {}

  template <class T>
  const T* take(std::uint64_t count) noexcept {
    static_assert(alignof(T) <= 8);
    const std::byte* at = at_;
    if (count > left_ / sizeof(T)) {
      good_ = false;
      return nullptr;
    }
    at_ += count * sizeof(T);
    left_ -= count * sizeof(T);
    return reinterpret_cast<const T*>(at);
  }
  [[nodiscard]] bool good() const noexcept { return good_; }
  [[nodiscard]] const std::byte* rest() const noexcept { return at_; }
  [[nodiscard]] std::size_t left() const noexcept { return left_; }

 private:
  const std::byte* at_;
  std::size_t left_;
  bool good_ = true;
};

/// Whether messages of a group concern this client: in the shared log are those of others, too.
bool is_for_us(const Handle& handle, const Group& group) noexcept {
  return !handle.channels.reads_log() || group.standing == Standing::Member ||
         group.standing == Standing::Leaving;
}

/// The phx_group of an id, 0 when there is none. The table is asked only when it has changed or the
/// last message was of another group.
phx_group group_of(Slot& slot, Handle& handle, GroupId id) noexcept {
  const std::uint32_t version = handle.groups.version();
  if (id == handle.last_id && version == handle.last_version) [[likely]]
    return handle.last_group;
  const BiasedGuard guard(slot.send);
  const Group* group = handle.groups.by_id(id);
  handle.last_id = id;
  handle.last_version = handle.groups.version();
  handle.last_group = group == nullptr || !is_for_us(handle, *group) ? 0 : group->value();
  return handle.last_group;
}

bool on_message(Slot& slot, Handle& handle, const shm::BulkRecord& record) noexcept {
  phx_message message;
  if (!read_message(slot, handle, record, message)) return false;
  if (message.group == 0 || handle.callbacks.message == nullptr) return true;
  handle.callbacks.message(handle.context, handle.value, &message);
  return true;
}

bool lists_self(const Handle& handle, const phx_member* members, std::size_t count) noexcept {
  const shm::ChannelGeometry& self = handle.channels.geometry();
  for (std::size_t i = 0; i < count; ++i) {
    if (members[i].node == self.node && members[i].client == self.client) return true;
  }
  return false;
}

bool on_group_view(Slot& slot, Handle& handle, const shm::BulkRecord& record) noexcept {
  BodyReader body(record.body);
  const auto* event = body.take<shm::GroupViewEvent>(1);
  if (event == nullptr) return false;
  phx_group_view view{};
  view.members = body.take<phx_member>(view.member_count = event->members);
  view.left = body.take<phx_member>(view.left_count = event->left);
  view.joined = body.take<phx_member>(view.joined_count = event->joined);
  view.name = body.take<char>(view.name_bytes = event->name_bytes);
  view.flags = record.flags;
  if (!body.good()) return false;

  const bool member = lists_self(handle, view.members, view.member_count);
  {
    const BiasedGuard guard(slot.send);
    Group* group = handle.groups.by_id(event->group);
    if (group == nullptr || group->standing == Standing::None ||
        group->standing == Standing::Evicted)
      return true;
    // In the shared log are the views of before this client joined as well.
    if (handle.channels.reads_log() && group->standing == Standing::Joining && !member) return true;
    view.group = group->value();
    (void)handle.groups.set_members(*group, view.members, view.member_count);
    if (member && group->standing == Standing::Joining) {
      group->standing = Standing::Member;
      handle.groups.changed();
    }
  }
  if (handle.callbacks.group_view != nullptr)
    handle.callbacks.group_view(handle.context, handle.value, &view);
  if (member || !lists_self(handle, view.left, view.left_count)) return true;

  const BiasedGuard guard(slot.send);
  if (Group* group = handle.groups.by_value(view.group);
      group != nullptr && group->standing != Standing::Joining) {
    group->standing = Standing::None;
    handle.groups.changed();
    if (!group->open) handle.groups.remove(*group);
  }
  return true;
}

/// Keeps the flag, then tells it: before the node view, whose callback may ask for it.
void on_quorum(Slot& slot, Handle& handle, const phx_node_view& view) noexcept {
  const int quorate = (view.flags & PHX_FLAG_QUORATE) != 0 ? 1 : 0;
  const bool changed = handle.quorum.sequence == 0 || handle.quorum.quorate != quorate;
  {
    const BiasedGuard guard(slot.send);
    handle.quorum = {
        .sequence = view.sequence, .representative = view.representative, .quorate = quorate};
  }
  if (handle.callbacks.quorum == nullptr) return;
  const phx_quorum_view told{.sequence = view.sequence,
                             .representative = view.representative,
                             .quorate = quorate,
                             .changed = changed ? 1 : 0,
                             .members = view.members,
                             .member_count = view.member_count,
                             .left = view.left,
                             .left_count = view.left_count,
                             .joined = view.joined,
                             .joined_count = view.joined_count};
  handle.callbacks.quorum(handle.context, handle.value, &told);
}

bool on_node_view(Slot& slot, Handle& handle, const shm::BulkRecord& record) noexcept {
  BodyReader body(record.body);
  const auto* event = body.take<shm::NodeViewEvent>(1);
  if (event == nullptr) return false;
  phx_node_view view{};
  view.sequence = event->sequence;
  view.representative = event->representative;
  view.members = body.take<std::uint32_t>(view.member_count = event->members);
  view.left = body.take<std::uint32_t>(view.left_count = event->left);
  view.joined = body.take<std::uint32_t>(view.joined_count = event->joined);
  view.flags = record.flags;
  if (!body.good()) return false;
  on_quorum(slot, handle, view);
  if (handle.callbacks.node_view != nullptr && !handle.finalised_inside)
    handle.callbacks.node_view(handle.context, handle.value, &view);
  return true;
}

bool on_transitional(Handle& handle) noexcept {
  const phx_node_view view{.flags = PHX_FLAG_TRANSITIONAL};
  if (handle.callbacks.node_view != nullptr)
    handle.callbacks.node_view(handle.context, handle.value, &view);
  return true;
}

phx_status status_of(shm::RefusedReason reason) noexcept {
  switch (reason) {
    case shm::RefusedReason::Access:
      return PHX_ACCESS;
    case shm::RefusedReason::Limit:
      return PHX_LIMIT;
    case shm::RefusedReason::Name:
      return PHX_INVALID;
  }
  return PHX_INVALID;
}

bool on_refused(Slot& slot, Handle& handle, const shm::BulkRecord& record) noexcept {
  BodyReader body(record.body);
  const auto* event = body.take<shm::RefusedEvent>(1);
  if (event == nullptr) return false;
  const bool join = event->kind == static_cast<std::uint32_t>(shm::SubmissionKind::Join);
  phx_group value = 0;
  {
    const BiasedGuard guard(slot.send);
    Group* group = handle.groups.by_id(event->group);
    if (group == nullptr) return true;
    value = group->value();
    if (join) {
      group->standing = Standing::None;
    } else {
      group->open = false;
    }
    if (group->standing == Standing::None && !group->open) handle.groups.remove(*group);
  }
  tell(handle, PHX_EVENT_REFUSED, status_of(event->reason), value);
  return true;
}

}  // namespace

bool read_message(Slot& slot, Handle& handle, const shm::BulkRecord& record,
                  phx_message& out) noexcept {
  BodyReader body(record.body);
  const auto* event = body.take<shm::MessageEvent>(1);
  if (event == nullptr) return false;
  out = {.group = group_of(slot, handle, event->group),
         .data = body.rest(),
         .bytes = body.left(),
         .node = event->node,
         .client = event->client,
         .flags = record.flags};
  return true;
}

bool handle_event(Slot& slot, Handle& handle, const shm::BulkRecord& record) noexcept {
  switch (static_cast<shm::EventKind>(record.kind)) {
    case shm::EventKind::Message:
      return on_message(slot, handle, record);
    case shm::EventKind::GroupView:
      return on_group_view(slot, handle, record);
    case shm::EventKind::NodeView:
      return on_node_view(slot, handle, record);
    case shm::EventKind::Transitional:
      return on_transitional(handle);
    case shm::EventKind::Refused:
      return on_refused(slot, handle, record);
  }
  return false;
}

void tell(Handle& handle, phx_event event, phx_status status, phx_group group) noexcept {
  if (handle.callbacks.connection == nullptr) return;
  const phx_connection connection{.event = event, .status = status, .group = group};
  handle.callbacks.connection(handle.context, handle.value, &connection);
}

}  // namespace phalanx::client
