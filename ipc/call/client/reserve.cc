#include <cstring>

#include "ipc/call/client/call.h"
#include "ipc/call/client/submit.h"

using namespace phalanx;
using namespace phalanx::call;

namespace {

/// What is asked for, while it is waited for.
struct Wish {
  Slot& slot;
  Handle& handle;
  phx_ipc_room* rooms = nullptr;
  std::size_t count = 0;
  bool of_another = false;  ///< Another thread came first.

  /// Takes room for as many as fit. False: for none. Under the send lock.
  bool try_locked() noexcept {
    if (handle.over.load(std::memory_order_acquire) != PHX_OK) return false;
    of_another = handle.reserver != 0;
    if (of_another) return true;
    std::uint32_t n = 0;
    for (; n < count; ++n) {
      phx_ipc_room& room = rooms[n];
      const auto bytes = static_cast<std::uint32_t>(room.bytes);
      std::byte* body =
          handle.requests.append(static_cast<std::uint32_t>(sizeof(RequestBody)) + bytes,
                                 static_cast<std::uint8_t>(RequestKind::Post), 0);
      if (body == nullptr) break;
      const RequestBody header{.id = room.id, .slot = 0, .sequence = 0, .reply_bytes = 0};
      std::memcpy(body, &header, sizeof header);
      handle.reserved[n] = {.body = body, .bytes = bytes};
      room.data = body + sizeof header;
    }
    if (handle.requests.broken()) distrust(handle);
    if (n == 0) return false;
    handle.reserved_count = n;
    handle.reserver = this_thread();
    handle.references.fetch_add(1, std::memory_order_relaxed);  // Until the commit.
    return true;
  }
  static bool again(void* self) noexcept {
    auto& wish = *static_cast<Wish*>(self);
    const client::BiasedGuard guard(wish.slot.send);
    return wish.of_another || wish.handle.reserver == this_thread() || wish.try_locked();
  }
};

/// Under the send lock. PHX_INVALID, PHX_TOO_BIG.
phx_status shorten(Handle& handle, const phx_ipc_room* rooms, std::size_t count) noexcept {
  if (count != handle.reserved_count) return PHX_INVALID;
  for (std::size_t i = 0; i < count; ++i) {
    if (rooms[i].bytes > handle.reserved[i].bytes) return PHX_TOO_BIG;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto unused = static_cast<std::uint32_t>(handle.reserved[i].bytes - rooms[i].bytes);
    if (unused == 0) [[likely]]
      continue;
    std::memcpy(handle.reserved[i].body + offsetof(RequestBody, reply_bytes), &unused,
                sizeof unused);
  }
  return PHX_OK;
}

}  // namespace

phx_status phx_ipc_reserve(phx_ipc_handle value, phx_ipc_room* rooms, std::size_t count,
                           std::size_t* reserved, int timeout_ms) {
  if (rooms == nullptr || reserved == nullptr || count == 0 || count > PHX_IPC_RESERVED_MAX)
    return PHX_INVALID;
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  {
    // Most of the time there is room: then one lock is all that is needed.
    const client::BiasedGuard guard(slot->send);
    Handle* handle = nullptr;
    phx_status status = look_up(*slot, value, false, handle);
    if (status == PHX_OK) status = may_send(*handle);
    if (status != PHX_OK) return status;
    const std::uint64_t most = handle->memory.geometry().message_bytes_max;
    for (std::size_t i = 0; i < count; ++i) {
      if (rooms[i].bytes > most) return PHX_TOO_BIG;
    }
    Wish wish{.slot = *slot, .handle = *handle, .rooms = rooms, .count = count};
    if (wish.try_locked()) [[likely]] {
      *reserved = handle->reserved_count;
      return wish.of_another ? PHX_WRONG_THREAD : PHX_OK;
    }
  }
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  Handle& handle = reference.handle();
  Wish wish{.slot = *slot, .handle = handle, .rooms = rooms, .count = count};
  const phx_status status =
      wait_for_room(*slot, handle, {.try_it = Wish::again, .what = &wish}, timeout_ms);
  if (status != PHX_OK) return status;
  if (wish.of_another) return PHX_WRONG_THREAD;
  *reserved = handle.reserved_count;
  return PHX_OK;
}

phx_status phx_ipc_commit(phx_ipc_handle value, const phx_ipc_room* rooms, std::size_t count) {
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  Handle* handle = nullptr;
  phx_status status = PHX_OK;
  {
    const client::BiasedGuard guard(slot->send);
    status = look_up(*slot, value, true, handle);
    if (status != PHX_OK) return status;
    if (handle->reserver == 0) return PHX_NOT_PINNED;
    if (handle->reserver != this_thread()) return PHX_WRONG_THREAD;
    if (rooms != nullptr) status = shorten(*handle, rooms, count);
    if (status != PHX_OK) return status;
    handle->reserver = 0;
    status = static_cast<phx_status>(handle->over.load(std::memory_order_acquire));
    if (status == PHX_OK) publish_requests(*handle);
  }
  drop(handle);
  return status;
}
