#include "ipc/call/client/call.h"

#include <bit>

#include "ipc/call/client/submit.h"
#include "ipc/call/client/waiting_room.h"

using namespace phalanx;
using namespace phalanx::call;

namespace {

/// The request's bytes. PHX_INVALID, PHX_TOO_BIG.
phx_status measure(const Handle& handle, Exchange& what) noexcept {
  if (!sum_parts(what.request, what.request_parts, what.request_bytes)) return PHX_INVALID;
  return what.request_bytes > handle.memory.geometry().message_bytes_max ? PHX_TOO_BIG : PHX_OK;
}

phx_status over_of(const Handle& handle) noexcept {
  return static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
}

/// One message of a batch. Under the send lock.
phx_status append_item(Handle& handle, const phx_ipc_item& item, std::uint64_t most) noexcept {
  if (item.bytes > most) return PHX_TOO_BIG;
  if (item.data == nullptr && item.bytes > 0) return PHX_INVALID;
  std::byte* room =
      handle.requests.append(static_cast<std::uint32_t>(sizeof(RequestBody) + item.bytes),
                             static_cast<std::uint8_t>(RequestKind::Post), 0);
  if (room == nullptr) return PHX_TRY_AGAIN;
  const RequestBody body{.id = item.id, .slot = 0, .sequence = 0, .reply_bytes = 0};
  std::memcpy(room, &body, sizeof body);
  if (item.bytes > 0) std::memcpy(room + sizeof body, item.data, item.bytes);
  return PHX_OK;
}

}  // namespace

phx_status phx_ipc_call(phx_ipc_handle handle, std::uint32_t id, const void* request,
                        std::size_t request_bytes, void* reply, std::size_t reply_size,
                        std::size_t* reply_bytes, int timeout_ms) {
  const iovec out{.iov_base = const_cast<void*>(request), .iov_len = request_bytes};
  const iovec in{.iov_base = reply, .iov_len = reply_size};
  return phx_ipc_callv(handle, id, &out, 1, &in, 1, reply_bytes, timeout_ms);
}

phx_status phx_ipc_callv(phx_ipc_handle handle, std::uint32_t id, const iovec* request,
                         std::size_t request_parts, const iovec* reply, std::size_t reply_parts,
                         std::size_t* reply_bytes, int timeout_ms) {
  const Reference reference(handle);
  if (reference.status() != PHX_OK) return reference.status();
  Exchange what{.id = id,
                .request = request,
                .request_parts = request_parts,
                .reply = reply,
                .reply_parts = reply_parts};
  if (!sum_parts(reply, reply_parts, what.reply_bytes_max)) return PHX_INVALID;
  phx_status status = measure(reference.handle(), what);
  if (status == PHX_OK &&
      what.reply_bytes_max > reference.handle().memory.geometry().message_bytes_max)
    status = PHX_TOO_BIG;
  if (status != PHX_OK) return status;
  status = exchange(reference.slot(), reference.handle(), what, timeout_ms);
  if (status == PHX_OK && reply_bytes != nullptr) *reply_bytes = what.reply_bytes;
  return status;
}

phx_status phx_ipc_call_pinned(phx_ipc_handle handle, std::uint32_t id, const iovec* request,
                               std::size_t request_parts, std::size_t reply_bytes_max,
                               phx_ipc_reply* reply, int timeout_ms) {
  if (reply == nullptr) return PHX_INVALID;
  Reference reference(handle);
  if (reference.status() != PHX_OK) return reference.status();
  const std::uint64_t most = reference.handle().memory.geometry().message_bytes_max;
  if (reply_bytes_max > most) return PHX_TOO_BIG;
  Exchange what{.id = id,
                .request = request,
                .request_parts = request_parts,
                .reply_bytes_max = reply_bytes_max == 0 ? most : reply_bytes_max,
                .pinned = true};
  phx_status status = measure(reference.handle(), what);
  if (status == PHX_OK) status = exchange(reference.slot(), reference.handle(), what, timeout_ms);
  if (status != PHX_OK) return status;
  *reply = {.data = what.data, .bytes = what.reply_bytes, .pin = what.pin};
  reference.keep();
  return PHX_OK;
}

phx_status phx_ipc_reply_release(phx_ipc_handle handle, phx_ipc_reply* reply) {
  if (reply == nullptr) return PHX_INVALID;
  const Reference reference(handle, true);
  if (reference.status() != PHX_OK) return reference.status();
  if (!release_kept(reference.handle(), reply->pin)) return PHX_NOT_PINNED;
  *reply = {};
  drop(&reference.handle());  // What the pinned reply held; ours is still there.
  return PHX_OK;
}

phx_status phx_ipc_post(phx_ipc_handle value, std::uint32_t id, const iovec* parts,
                        std::size_t part_count, int timeout_ms) {
  std::uint64_t bytes = 0;
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  {
    // Most of the time there is room: then one lock is all that is needed.
    const client::BiasedGuard guard(slot->send);
    Handle* handle = nullptr;
    phx_status status = look_up(*slot, value, false, handle);
    if (status == PHX_OK) status = may_send(*handle);
    if (status != PHX_OK) return status;
    if (!sum_parts(parts, part_count, bytes)) return PHX_INVALID;
    if (bytes > handle->memory.geometry().message_bytes_max) return PHX_TOO_BIG;
    const RequestBody body{.id = id, .slot = 0, .sequence = 0, .reply_bytes = 0};
    if (write_request(*handle, RequestKind::Post, body, parts, part_count, bytes)) [[likely]] {
      publish_requests(*handle);
      return PHX_OK;
    }
    if (timeout_ms == 0 && !handle->requests.broken()) return PHX_TRY_AGAIN;
  }
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  const Exchange what{.kind = RequestKind::Post,
                      .id = id,
                      .request = parts,
                      .request_parts = part_count,
                      .request_bytes = bytes};
  return post(reference.slot(), reference.handle(), what, timeout_ms);
}

phx_status phx_ipc_post_batch(phx_ipc_handle value, const phx_ipc_item* items, std::size_t count,
                              std::size_t* accepted) {
  if (accepted == nullptr || (items == nullptr && count > 0)) return PHX_INVALID;
  *accepted = 0;
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  const client::BiasedGuard guard(
      slot->send);  // Keeps the handle, too: it is freed under this lock.
  Handle* handle = nullptr;
  phx_status status = look_up(*slot, value, false, handle);
  if (status == PHX_OK) status = may_send(*handle);
  if (status != PHX_OK) return status;
  const std::uint64_t most = handle->memory.geometry().message_bytes_max;
  std::size_t n = 0;
  while (n < count && (status = append_item(*handle, items[n], most)) == PHX_OK) ++n;
  *accepted = n;
  if (n > 0) publish_requests(*handle);
  if (handle->requests.broken()) distrust(*handle);
  return status;
}

phx_status phx_ipc_flow_state(phx_ipc_handle value, phx_ipc_flow* flow) {
  if (flow == nullptr) return PHX_INVALID;
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  Handle& handle = reference.handle();
  const phx_status over = over_of(handle);
  if (over != PHX_OK) return over;
  const Geometry& g = handle.memory.geometry();
  Page& page = *handle.memory.page();
  const auto queued = [](shm::RingIndices& ring, std::uint64_t bytes) -> std::size_t {
    const std::uint64_t head = std::atomic_ref(ring.head.position).load(std::memory_order_acquire);
    const std::uint64_t tail = std::atomic_ref(ring.tail.position).load(std::memory_order_acquire);
    return tail - head <= bytes ? tail - head : bytes;
  };
  const std::uint64_t all = g.outstanding_max;
  const auto free =
      static_cast<unsigned>(std::popcount(handle.free_slots.load(std::memory_order_relaxed)));
  *flow = {.request_ring_bytes = g.request_bytes,
           .request_queued_bytes = queued(page.request, g.request_bytes),
           .dispatch_ring_bytes = g.dispatch_bytes,
           .dispatch_queued_bytes = queued(page.dispatch, g.dispatch_bytes),
           .broadcast_ring_bytes = handle.broadcast.is_mapped() ? handle.broadcast.bytes() : 0,
           .broadcast_queued_bytes = handle.broadcast.queued_bytes(),
           .outstanding = static_cast<unsigned>(all) - free,
           .flow_control =
               std::atomic_ref(page.flow_control).load(std::memory_order_relaxed) != 0 ? 1 : 0};
  return PHX_OK;
}
