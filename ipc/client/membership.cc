#include <cstring>

#include "ipc/client/handle.h"
#include "ipc/client/link.h"
#include "ipc/shm/group_id.h"

namespace phalanx::client {
namespace {

phx_status check_name(const char* name, std::size_t name_bytes) noexcept {
  if (name_bytes == 0) return PHX_NAME_EMPTY;
  if (name_bytes > PHX_GROUP_NAME_BYTES_MAX) return PHX_NAME_TOO_LONG;
  return name == nullptr ? PHX_INVALID : PHX_OK;
}

/// The entry for a name, made if need be. Two names with one id cannot be told apart on the wire.
phx_status find_or_add(Handle& handle, const char* name, std::size_t name_bytes,
                       Group*& out) noexcept {
  const GroupId id = shm::group_id(name, name_bytes);
  out = handle.groups.by_id(id);
  if (out != nullptr) {
    const bool same =
        out->name_bytes == name_bytes && std::memcmp(out->name, name, name_bytes) == 0;
    return same ? PHX_OK : PHX_NOT_SUPPORTED;
  }
  if (handle.groups.full()) return PHX_LIMIT;
  out = handle.groups.add(id, name, name_bytes);
  if (out == nullptr) return PHX_NO_MEMORY;
  out->channel = handle.channels.channel_of(id);
  return PHX_OK;
}

/// Writes it now, or says TRY_AGAIN and wants room.
phx_status submit(Handle& handle, const Group& group, shm::SubmissionKind kind) noexcept {
  if (submit_group(handle, group, kind)) return PHX_OK;
  handle.want_room(handle.channels.of(group),
                   sizeof(shm::SubmissionBody) + PHX_GROUP_NAME_BYTES_MAX);
  return PHX_TRY_AGAIN;
}

/// Writes a Join or Open now, or leaves it to re-attaching.
phx_status submit_or_defer(Handle& handle, Group& group, shm::SubmissionKind kind) noexcept {
  if (!handle.attached() || handle.channels.of(group).state() != shm::ChannelState::Open) {
    (kind == shm::SubmissionKind::Join ? group.join_unsent : group.open_unsent) = true;
    handle.unsent_groups.store(true, std::memory_order_relaxed);
    return PHX_OK;
  }
  return submit(handle, group, kind);
}

void remove_unless_used(Handle& handle, Group& group) noexcept {
  if (group.standing == Standing::None && !group.open) handle.groups.remove(group);
}

}  // namespace
}  // namespace phalanx::client

using namespace phalanx;
using namespace phalanx::client;

phx_status phx_join(phx_handle value, const char* name, size_t name_bytes, phx_group* out) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (handle.reservation.is_mine()) return PHX_PINNED;
  if (const phx_status status = check_name(name, name_bytes); status != PHX_OK) return status;
  if (handle.link == Link::Gone) return PHX_DISCONNECTED;

  Group* group = nullptr;
  if (const phx_status status = find_or_add(handle, name, name_bytes, group); status != PHX_OK)
    return status;
  if (group->joined()) {
    if (out != nullptr) *out = group->value();
    return PHX_EXISTS;
  }
  if (group->standing == Standing::Leaving) return PHX_TRY_AGAIN;

  const Standing before = group->standing;
  group->standing = Standing::Joining;
  const phx_status status = submit_or_defer(handle, *group, shm::SubmissionKind::Join);
  if (status != PHX_OK) {
    group->standing = before;
    remove_unless_used(handle, *group);
    return status;
  }
  if (out != nullptr) *out = group->value();
  return PHX_OK;
}

phx_status phx_open(phx_handle value, const char* name, size_t name_bytes, phx_group* out) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (handle.reservation.is_mine()) return PHX_PINNED;
  if (const phx_status status = check_name(name, name_bytes); status != PHX_OK) return status;
  if (handle.link == Link::Gone) return PHX_DISCONNECTED;

  Group* group = nullptr;
  if (const phx_status status = find_or_add(handle, name, name_bytes, group); status != PHX_OK)
    return status;
  if (!group->open) {
    const phx_status status = submit_or_defer(handle, *group, shm::SubmissionKind::Open);
    if (status != PHX_OK) {
      remove_unless_used(handle, *group);
      return status;
    }
  }
  group->open = true;
  if (out != nullptr) *out = group->value();
  return PHX_OK;
}

phx_status phx_leave(phx_handle value, phx_group group_value) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (handle.reservation.is_mine()) return PHX_PINNED;
  Group* group = handle.groups.by_value(group_value);
  if (group == nullptr) return PHX_NOT_JOINED;
  if (group->standing == Standing::Evicted) {
    group->standing = Standing::None;
    remove_unless_used(handle, *group);
    return PHX_EVICTED;
  }
  if (!group->joined()) return PHX_NOT_JOINED;
  if (handle.link == Link::Gone) return PHX_DISCONNECTED;

  const bool never_asked = !handle.attached() || group->join_unsent;
  if (!never_asked) {
    const phx_status status = submit(handle, *group, shm::SubmissionKind::Leave);
    if (status != PHX_OK) return status;
  }
  group->join_unsent = false;
  group->standing = never_asked ? Standing::None : Standing::Leaving;
  remove_unless_used(handle, *group);
  return PHX_OK;
}

phx_status phx_close(phx_handle value, phx_group group_value) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (handle.reservation.is_mine()) return PHX_PINNED;
  Group* group = handle.groups.by_value(group_value);
  if (group == nullptr || !group->open) return PHX_NOT_JOINED;
  if (handle.attached() && !group->open_unsent) {
    const phx_status status = submit(handle, *group, shm::SubmissionKind::Close);
    if (status != PHX_OK) return status;
  }
  group->open = group->open_unsent = false;
  remove_unless_used(handle, *group);
  return PHX_OK;
}
