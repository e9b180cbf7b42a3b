#include "ipc/call/client/call.h"

#include <bit>

#include "ipc/call/client/submit.h"
#include "ipc/call/client/waiting_room.h"

namespace phalanx::call {
namespace {

phx_status over(const Handle& handle) noexcept {
  return static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
}

/// Under the send lock. -1: all are taken.
int take_slot(Handle& handle) noexcept {
  const std::uint64_t free = handle.free_slots.load(std::memory_order_acquire);
  if (free == 0) return -1;
  handle.free_slots.fetch_and(~(free & (~free + 1)), std::memory_order_relaxed);
  return std::countr_zero(free);
}

void give_slot(Handle& handle, unsigned number) noexcept {
  handle.pending[number].state.store(kFreeSlot, std::memory_order_relaxed);
  handle.free_slots.fetch_or(std::uint64_t{1} << number, std::memory_order_release);
}

/// A request on its way into the ring.
struct Submission {
  Slot& slot;
  Handle& handle;
  const Exchange& what;
  RequestBody body{};
  Pending* pending = nullptr;
  std::uint64_t end = 0;

  /// Under the send lock.
  bool try_locked() noexcept {
    if (handle.over.load(std::memory_order_acquire) != PHX_OK) return false;
    if (!write_request(handle, what.kind, body, what.request, what.request_parts,
                       what.request_bytes)) {
      if (handle.requests.broken()) distrust(handle);
      return false;
    }
    // So long who tells of room finds us; no longer, for the reply may come at once.
    if (pending != nullptr) pending->for_room.store(false, std::memory_order_relaxed);
    end = handle.requests.committed_in_ring();
    publish_requests(handle);
    return true;
  }
  static bool again(void* self) noexcept {
    auto& submission = *static_cast<Submission*>(self);
    if (submission.end != 0) return true;  // It went out before; who waits looks more than once.
    const client::BiasedGuard guard(submission.slot.send);
    return submission.try_locked();
  }
};

void prepare(Pending& pending, const Exchange& what) noexcept {
  ++pending.sequence;
  pending.pinned = what.pinned;
  pending.parts = what.reply;
  pending.part_count = what.reply_parts;
  pending.reply_bytes_max = what.reply_bytes_max;
  pending.bytes = 0;
  pending.state.store(kWaiting, std::memory_order_release);
}

/// After PHX_TIMED_OUT or the end: the reply may still come, unless the request never went out.
phx_status give_up(Handle& handle, unsigned number, phx_status why) noexcept {
  Pending& pending = handle.pending[number];
  if (pending.for_room.load(std::memory_order_relaxed)) {
    give_slot(handle, number);
    return why;
  }
  if (abandon(handle, pending)) return why;
  return PHX_OK;  // It is done after all.
}

}  // namespace

phx_status exchange(Slot& slot, Handle& handle, Exchange& what, int timeout_ms) noexcept {
  const TimeNs deadline = deadline_of(timeout_ms);
  Submission submission{.slot = slot, .handle = handle, .what = what};
  int number = -1;
  bool sent = false;
  // Replies that nobody waits for any more may hold slots.
  if (handle.free_slots.load(std::memory_order_relaxed) == 0) take_replies(handle);
  {
    const client::BiasedGuard guard(slot.send);
    const phx_status may = may_send(handle);
    if (may != PHX_OK) return may;
    number = take_slot(handle);
    if (number < 0) return PHX_TRY_AGAIN;
    submission.pending = &handle.pending[number];
    prepare(*submission.pending, what);
    submission.pending->for_room.store(true, std::memory_order_relaxed);
    submission.body = {.id = what.id,
                       .slot = static_cast<std::uint32_t>(number),
                       .sequence = submission.pending->sequence,
                       .reply_bytes = static_cast<std::uint32_t>(what.reply_bytes_max)};
    sent = submission.try_locked();
  }
  Pending& pending = *submission.pending;
  const auto slot_number = static_cast<unsigned>(number);
  if (!sent) {
    const phx_status room =
        wait_for(handle, pending, {.try_it = Submission::again, .what = &submission}, deadline);
    if (room != PHX_OK && give_up(handle, slot_number, room) != PHX_OK) return room;
  }
  what.end = submission.end;
  const phx_status waited = wait_for(handle, pending, {}, deadline);
  if (waited != PHX_OK && give_up(handle, slot_number, waited) != PHX_OK) return waited;

  const phx_status status = pending.status;
  what.reply_bytes = pending.bytes;
  what.data = pending.data;
  what.pin = std::uint64_t{pending.sequence} << 8 | slot_number;
  // A pinned reply keeps its slot until it is given back.
  if (status != PHX_OK || !what.pinned) give_slot(handle, slot_number);
  return status;
}

phx_status post(Slot& slot, Handle& handle, const Exchange& what, int timeout_ms,
                std::uint64_t* end) noexcept {
  Submission submission{.slot = slot, .handle = handle, .what = what};
  submission.body = {.id = what.id, .slot = 0, .sequence = 0, .reply_bytes = 0};
  bool sent = false;
  {
    const client::BiasedGuard guard(slot.send);
    const phx_status may = may_send(handle);
    if (may != PHX_OK) return may;
    sent = submission.try_locked();
  }
  phx_status status = PHX_OK;
  if (!sent) {
    status =
        wait_for_room(slot, handle, {.try_it = Submission::again, .what = &submission}, timeout_ms);
  }
  if (end != nullptr) *end = submission.end;
  return status;
}

phx_status wait_for_room(Slot& slot, Handle& handle, const Attempt& attempt,
                         int timeout_ms) noexcept {
  int number = -1;
  {
    const client::BiasedGuard guard(slot.send);
    if (over(handle) != PHX_OK) return over(handle);
    if (timeout_ms == 0) return PHX_TRY_AGAIN;
    number = take_slot(handle);  // To wait with.
    if (number < 0) return PHX_TRY_AGAIN;
    handle.pending[number].for_room.store(true, std::memory_order_relaxed);
    prepare(handle.pending[number], {});
  }
  Pending& pending = handle.pending[number];
  phx_status status = wait_for(handle, pending, attempt, deadline_of(timeout_ms));
  // Whether there was room is what counts: a connection that ended then is told by the next call.
  if (pending.state.load(std::memory_order_acquire) == kDone || status != PHX_OK) {
    const bool done = attempt.try_it(attempt.what);
    if (done) {
      status = PHX_OK;
    } else if (status == PHX_OK) {
      status = over(handle);
    }
  }
  pending.for_room.store(false, std::memory_order_relaxed);
  give_slot(handle, static_cast<unsigned>(number));
  return status;
}

}  // namespace phalanx::call
