#include <cstring>
#include <span>

#include "ipc/client/handle.h"
#include "ipc/client/send.h"
#include "ipc/shm/channel_layout.h"

namespace phalanx::client {

phx_status owe_room(Handle& handle, shm::ClientChannel& channel,
                    std::uint32_t body_bytes) noexcept {
  handle.want_room(channel, body_bytes);
  return PHX_TRY_AGAIN;
}

phx_status sendable(const Handle& handle, const Group* group) noexcept {
  if (handle.reservation.is_mine()) return PHX_PINNED;
  if (group == nullptr) return PHX_NOT_JOINED;
  if (group->standing == Standing::Evicted && !group->open) return PHX_EVICTED;
  if (!group->joined() && !group->open) return PHX_NOT_JOINED;
  if (!handle.attached()) return handle.link == Link::Gone ? PHX_DISCONNECTED : PHX_TRY_AGAIN;
  switch (handle.channels.of(*group).state()) {
    case shm::ChannelState::Open:
      return (group->joined() ? group->join_unsent : group->open_unsent) ? PHX_TRY_AGAIN : PHX_OK;
    case shm::ChannelState::Evicted:
      return group->joined() ? PHX_EVICTED : PHX_TRY_AGAIN;
    case shm::ChannelState::Disconnected:
      break;
  }
  return handle.no_reattach ? PHX_DISCONNECTED : PHX_TRY_AGAIN;
}

namespace {

/// Copies one message into the ring, unpublished. False: there is no room.
bool put(shm::ClientChannel& channel, GroupId group, std::span<const iovec> parts,
         std::uint32_t body_bytes, phx_guarantee guarantee) noexcept {
  std::byte* room = channel.reserve_submission(body_bytes);
  if (room == nullptr) [[unlikely]]
    return false;
  std::memcpy(room, &group, sizeof group);
  room += sizeof group;
  for (const iovec& part : parts) {
    if (part.iov_len == 0) continue;
    std::memcpy(room, part.iov_base, part.iov_len);
    room += part.iov_len;
  }
  channel.commit_submission(shm::SubmissionKind::Multicast,
                            guarantee == PHX_SAFE ? shm::kSubmissionSafe : 0);
  return true;
}

/// Why such messages are refused as a whole, or PHX_OK.
phx_status check_messages(std::span<const iovec> messages, std::size_t bytes_max) noexcept {
  for (const iovec& message : messages) {
    if (message.iov_len > bytes_max) return PHX_TOO_BIG;
    if (message.iov_len > 0 && message.iov_base == nullptr) return PHX_INVALID;
  }
  return PHX_OK;
}

}  // namespace
}  // namespace phalanx::client

using namespace phalanx;
using namespace phalanx::client;

phx_status phx_multicast(phx_handle value, phx_group group_value, const struct iovec* parts,
                         size_t part_count, phx_guarantee guarantee) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (part_count > PHX_PARTS_MAX || (parts == nullptr && part_count > 0) ||
      (guarantee != PHX_AGREED && guarantee != PHX_SAFE)) {
    return PHX_INVALID;
  }
  const std::size_t bytes_max = handle.channels.geometry().message_bytes_max;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < part_count; ++i) {
    if (parts[i].iov_len > bytes_max - bytes) return PHX_TOO_BIG;
    if (parts[i].iov_len > 0 && parts[i].iov_base == nullptr) return PHX_INVALID;
    bytes += parts[i].iov_len;
  }
  const Group* group = handle.groups.by_value(group_value);
  if (const phx_status status = sendable(handle, group); status != PHX_OK) return status;
  shm::ClientChannel& channel = handle.channels.of(*group);

  const auto body_bytes = static_cast<std::uint32_t>(sizeof(shm::SubmissionBody) + bytes);
  if (!put(channel, group->id, {parts, part_count}, body_bytes, guarantee)) [[unlikely]] {
    const phx_status again = owe_room(handle, channel, body_bytes);
    // It may have come before the wish was seen.
    if (!put(channel, group->id, {parts, part_count}, body_bytes, guarantee)) return again;
  }
  publish(handle, channel);
  return PHX_OK;
}

phx_status phx_multicast_batch(phx_handle value, phx_group group_value,
                               const struct iovec* messages, size_t count, phx_guarantee guarantee,
                               size_t* accepted) {
  if (accepted != nullptr) *accepted = 0;
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (accepted == nullptr || (messages == nullptr && count > 0) || count > PHX_PARTS_MAX ||
      (guarantee != PHX_AGREED && guarantee != PHX_SAFE)) {
    return PHX_INVALID;
  }
  const std::span all(messages, count);
  const std::size_t bytes_max = handle.channels.geometry().message_bytes_max;
  if (const phx_status status = check_messages(all, bytes_max); status != PHX_OK) return status;
  const Group* group = handle.groups.by_value(group_value);
  if (const phx_status status = sendable(handle, group); status != PHX_OK) return status;
  shm::ClientChannel& channel = handle.channels.of(*group);

  bool asked = false;
  std::size_t done = 0;
  while (done < count) {
    const auto body_bytes =
        static_cast<std::uint32_t>(sizeof(shm::SubmissionBody) + all[done].iov_len);
    if (put(channel, group->id, all.subspan(done, 1), body_bytes, guarantee)) [[likely]] {
      ++done;
      continue;
    }
    if (asked) break;
    // What is there goes out first; room may come before the wish is seen.
    publish(handle, channel);
    (void)owe_room(handle, channel, body_bytes);
    asked = true;
  }
  publish(handle, channel);
  *accepted = done;
  return done == count ? PHX_OK : PHX_TRY_AGAIN;
}
