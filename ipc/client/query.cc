#include <unistd.h>

#include <cstring>

#include "ipc/client/handle.h"

using namespace phalanx;
using namespace phalanx::client;

phx_status phx_membership(phx_handle value, phx_group group_value, phx_member* members,
                          size_t capacity, size_t* count) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  if (count == nullptr || (members == nullptr && capacity > 0)) return PHX_INVALID;
  const Group* group = sending.handle().groups.by_value(group_value);
  if (group == nullptr || group->standing == Standing::None) return PHX_NOT_JOINED;
  if (group->standing == Standing::Evicted) return PHX_EVICTED;
  const std::size_t copied = group->member_count < capacity ? group->member_count : capacity;
  if (copied > 0) std::memcpy(members, group->members, copied * sizeof *members);
  *count = group->member_count;
  return PHX_OK;
}

phx_status phx_local_id(phx_handle value, phx_member* id) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  if (id == nullptr) return PHX_INVALID;
  const Handle& handle = sending.handle();
  if (!handle.attached()) return handle.link == Link::Gone ? PHX_DISCONNECTED : PHX_TRY_AGAIN;
  const shm::ChannelGeometry& geometry = handle.channels.geometry();
  *id = {.node = geometry.node,
         .client = geometry.client,
         .pid = static_cast<std::uint32_t>(getpid()),
         .reason = PHX_REASON_NONE};
  return PHX_OK;
}

phx_status phx_quorum(phx_handle value, phx_quorum_state* state) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  if (state == nullptr) return PHX_INVALID;
  *state = sending.handle().quorum;
  return PHX_OK;
}

phx_status phx_flow_state(phx_handle value, phx_flow* flow) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  if (flow == nullptr) return PHX_INVALID;
  Handle& handle = sending.handle();
  const shm::ChannelGeometry& geometry = handle.channels.geometry();
  *flow = phx_flow{};
  flow->submit_ring_bytes = geometry.submit_bytes;
  flow->shared = geometry.log_bytes > 0 ? 1 : 0;
  flow->delivery_ring_bytes = flow->shared ? geometry.log_bytes : geometry.delivery_bytes;
  if (!handle.attached()) return PHX_OK;
  // The fullest ring each way: with several workers that is the one which will not take more.
  flow->sendable = 1;
  for (shm::ClientChannel& channel : handle.channels.all()) {
    channel.refresh_room();
    const std::uint64_t room = channel.room_bytes();
    const std::uint64_t sent = geometry.submit_bytes - room;
    const std::uint64_t unread = channel.event_backlog_bytes();
    if (sent > flow->submit_queued_bytes) flow->submit_queued_bytes = sent;
    if (unread > flow->delivery_queued_bytes) flow->delivery_queued_bytes = unread;
    if (channel.state() != shm::ChannelState::Open || room < 1024 || channel.broken())
      flow->sendable = 0;
  }
  return PHX_OK;
}

phx_status phx_limits(phx_handle value, phx_limit_values* limits) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  if (limits == nullptr) return PHX_INVALID;
  *limits = {.message_bytes_max = sending.handle().channels.geometry().message_bytes_max,
             .group_name_bytes_max = PHX_GROUP_NAME_BYTES_MAX,
             .groups_max = kGroupsMax};
  return PHX_OK;
}
