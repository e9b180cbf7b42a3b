#include <cstring>
#include <span>

#include "ipc/client/handle.h"
#include "ipc/client/send.h"
#include "ipc/shm/channel_layout.h"

namespace phalanx::client {
namespace {

constexpr auto kHeadBytes = static_cast<std::uint32_t>(sizeof(shm::SubmissionBody));

/// Takes room for as many as fit; the ring has their records, which nobody is shown yet.
std::uint32_t take_rooms(Handle& handle, shm::ClientChannel& channel, GroupId group,
                         std::span<phx_room> rooms, std::uint8_t flags) noexcept {
  std::uint32_t count = 0;
  for (phx_room& room : rooms) {
    const auto bytes = static_cast<std::uint32_t>(room.bytes);
    std::byte* body =
        channel.append_submission(kHeadBytes + bytes, shm::SubmissionKind::Multicast, flags);
    if (body == nullptr) break;
    std::memcpy(body, &group, sizeof group);
    handle.reservation.rooms[count++] = {.body = body, .bytes = bytes};
    room.data = body + kHeadBytes;
  }
  return count;
}

/// Nothing changes unless all of it can. PHX_INVALID, PHX_TOO_BIG.
phx_status shorten(const Reservation& reservation, const phx_room* rooms,
                   std::size_t count) noexcept {
  if (count != reservation.count) return PHX_INVALID;
  for (std::size_t i = 0; i < count; ++i) {
    if (rooms[i].bytes > reservation.rooms[i].bytes) return PHX_TOO_BIG;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Reservation::Room& room = reservation.rooms[i];
    if (rooms[i].bytes == room.bytes) [[likely]]
      continue;
    shm::ClientChannel::shorten_submission(room.body, kHeadBytes + room.bytes,
                                           kHeadBytes + static_cast<std::uint32_t>(rooms[i].bytes));
  }
  return PHX_OK;
}

phx_status commit(Handle& handle, const phx_room* rooms, std::size_t count) noexcept {
  Reservation& reservation = handle.reservation;
  if (reservation.thread == 0) return PHX_NOT_PINNED;
  if (!reservation.is_mine()) return PHX_WRONG_THREAD;
  if (rooms != nullptr) {
    if (const phx_status status = shorten(reservation, rooms, count); status != PHX_OK)
      return status;
  }
  const phx_status over = reservation.over;
  reservation.thread = 0;
  reservation.over = PHX_OK;
  if (over != PHX_OK) {
    reservation.memory.unmap();
    return over;
  }
  publish(handle, *reservation.channel);
  switch (reservation.channel->state()) {
    case shm::ChannelState::Open:
      return PHX_OK;
    case shm::ChannelState::Evicted:
      return PHX_EVICTED;  // What is submitted from then on is not taken.
    case shm::ChannelState::Disconnected:
      break;
  }
  return PHX_DISCONNECTED;
}

/// Of a handle that was finalised: the memory goes with the commit.
void give_back(Slot& slot, phx_handle value) noexcept {
  if (slot.handle != nullptr && slot.handle->value == value) {
    // It is being finalised, and waits for a callback of another thread.
    Reservation& reservation = slot.handle->reservation;
    if (!reservation.is_mine()) return;
    reservation.thread = 0;
    reservation.memory.unmap();
  } else if (slot.reserved_of == value && value != 0 && slot.reserved_by == this_thread()) {
    slot.reserved_of = slot.reserved_by = 0;
    slot.taken.store(false, std::memory_order_release);
    slot.reserved_memory.unmap();
  }
}

}  // namespace
}  // namespace phalanx::client

using namespace phalanx;
using namespace phalanx::client;

phx_status phx_reserve(phx_handle value, phx_group group_value, phx_room* rooms, size_t count,
                       phx_guarantee guarantee, size_t* reserved) {
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (rooms == nullptr || reserved == nullptr || count == 0 || count > PHX_RESERVED_MAX ||
      (guarantee != PHX_AGREED && guarantee != PHX_SAFE)) {
    return PHX_INVALID;
  }
  Reservation& reservation = handle.reservation;
  if (reservation.thread != 0) return reservation.is_mine() ? PHX_PINNED : PHX_WRONG_THREAD;
  const std::span all(rooms, count);
  const std::size_t bytes_max = handle.channels.geometry().message_bytes_max;
  for (const phx_room& room : all) {
    if (room.bytes > bytes_max) return PHX_TOO_BIG;
  }
  const Group* group = handle.groups.by_value(group_value);
  if (const phx_status status = sendable(handle, group); status != PHX_OK) return status;

  shm::ClientChannel& channel = handle.channels.of(*group);
  const std::uint8_t flags = guarantee == PHX_SAFE ? shm::kSubmissionSafe : 0;
  std::uint32_t taken = take_rooms(handle, channel, group->id, all, flags);
  if (taken == 0) [[unlikely]] {
    const phx_status again =
        owe_room(handle, channel, kHeadBytes + static_cast<std::uint32_t>(rooms[0].bytes));
    taken = take_rooms(handle, channel, group->id, all,
                       flags);  // It may have come before the wish was seen.
    if (taken == 0) return again;
  }
  reservation.thread = this_thread();
  reservation.channel = &channel;
  reservation.count = taken;
  *reserved = taken;
  return PHX_OK;
}

phx_status phx_commit(phx_handle value, const phx_room* rooms, size_t count) {
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  const BiasedGuard guard(slot->send);
  if (Handle* handle = live(*slot, value); handle != nullptr) return commit(*handle, rooms, count);
  give_back(*slot, value);
  return PHX_BAD_HANDLE;
}
