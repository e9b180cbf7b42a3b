#include "ipc/call/client/waiting_room.h"

#include <sys/socket.h>

#include <bit>
#include <cstring>

#include "ipc/call/futex.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {
namespace {

std::uint64_t response_tail(const Handle& handle, std::memory_order order) noexcept {
  return std::atomic_ref(handle.memory.page()->response.tail.position).load(order);
}

/// Whether the response ring has something that nobody took. The server publishes a record of a
/// bulk ring with one of the ring, so that its tail tells of both.
bool something_came(const Handle& handle,
                    std::memory_order order = std::memory_order_acquire) noexcept {
  return response_tail(handle, order) != handle.responses_seen.load(std::memory_order_relaxed);
}

/// Ends the wait of whoever owns it. Under `receive`.
void finish(Pending& pending, phx_status status) noexcept {
  pending.status = status;
  if (pending.state.exchange(kDone, std::memory_order_acq_rel) == kAsleep)
    futex_wake(pending.state, 1);
}

/// Copies a reply to where its thread wants it; it fits.
void scatter(Pending& pending, std::span<const std::byte> bytes) noexcept {
  pending.bytes = bytes.size();
  for (std::size_t i = 0; i < pending.part_count && !bytes.empty(); ++i) {
    const iovec& part = pending.parts[i];
    const std::size_t count = part.iov_len < bytes.size() ? part.iov_len : bytes.size();
    if (count > 0) std::memcpy(part.iov_base, bytes.data(), count);
    bytes = bytes.subspan(count);
  }
}

/// One record. False: rubbish. Under `receive`.
bool take_reply(Handle& handle, const shm::BulkRecord& record) noexcept {
  ResponseBody body;
  if (record.kind != static_cast<std::uint8_t>(ResponseKind::Reply) ||
      record.body.size() < sizeof body) {
    return false;
  }
  std::memcpy(&body, record.body.data(), sizeof body);
  // The copy is what counts, whatever the server writes next.
  asm volatile("" : "+m"(body));
  const std::span<const std::byte> bytes = record.body.subspan(sizeof body);
  if (body.slot >= handle.memory.geometry().outstanding_max || body.status > PHX_BROKEN)
    return false;
  Pending& pending = handle.pending[body.slot];
  const std::uint32_t state = pending.state.load(std::memory_order_acquire);
  if (state == kFreeSlot || state == kDone || pending.for_room.load(std::memory_order_relaxed) ||
      pending.sequence != body.sequence || bytes.size() > pending.reply_bytes_max) {
    return false;
  }
  const shm::BulkConsumer::Position begin = handle.responses.position();
  handle.responses.pop();
  if (state == kAbandoned) {
    pending.state.store(kFreeSlot, std::memory_order_relaxed);
    handle.free_slots.fetch_or(std::uint64_t{1} << body.slot, std::memory_order_release);
    return true;
  }
  if (body.status != PHX_OK) {
    finish(pending, static_cast<phx_status>(body.status));
    return true;
  }
  if (pending.pinned) {
    pending.data = bytes.data();
    pending.bytes = bytes.size();
    pending.begin = begin;
    handle.kept |= std::uint64_t{1} << body.slot;
  } else {
    scatter(pending, bytes);
  }
  finish(pending, PHX_OK);
  return true;
}

/// Gives the ring's space back up to the first reply that is still read. Under `receive`.
void release_responses(Handle& handle) noexcept {
  shm::BulkConsumer::Position end = handle.responses.position();
  for (std::uint64_t kept = handle.kept; kept != 0; kept &= kept - 1) {
    const shm::BulkConsumer::Position& begin = handle.pending[std::countr_zero(kept)].begin;
    if (begin.ring < end.ring) end = begin;
  }
  if (handle.responses.release_to(end, shm::publish_order(handle.barriers))) tell_of_room(handle);
}

/// Takes what the response ring has.
void pump(Handle& handle) noexcept {
  if (!something_came(handle)) return;
  const LockGuard guard(handle.receive);
  bool good = true;
  shm::BulkRecord record;
  while (good && handle.responses.peek(record)) good = take_reply(handle, record);
  release_responses(handle);
  if (handle.responses.queued_bytes() == 0)
    handle.responses_seen.store(handle.responses.position().ring, std::memory_order_relaxed);
  if (!good || handle.responses.broken()) distrust(handle);
}

/// All who wait learn that the connection is over.
void fail_all(Handle& handle) noexcept {
  const auto why = static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
  const LockGuard guard(handle.receive);
  for (Pending& pending : handle.pending) {
    const std::uint32_t state = pending.state.load(std::memory_order_acquire);
    if (state == kWaiting || state == kAsleep) finish(pending, why);
  }
}

void wake(Pending& pending) noexcept {
  std::uint32_t asleep = kAsleep;
  if (pending.state.compare_exchange_strong(asleep, kWaiting, std::memory_order_acq_rel))
    futex_wake(pending.state, 1);
}

void wake_for_room(Handle& handle) noexcept {
  if (handle.sleepers.load(std::memory_order_seq_cst) == 0) return;
  for (Pending& pending : handle.pending) {
    if (pending.state.load(std::memory_order_acquire) == kAsleep &&
        pending.for_room.load(std::memory_order_relaxed)) {
      wake(pending);
    }
  }
}

/// Who stops leading wakes another one who waits, to lead on.
void hand_on(Handle& handle) noexcept {
  if (handle.sleepers.load(std::memory_order_seq_cst) == 0) return;
  for (Pending& pending : handle.pending) {
    if (pending.state.load(std::memory_order_acquire) != kAsleep) continue;
    wake(pending);
    return;
  }
}

bool is_done(const Pending& pending, const Attempt& attempt) noexcept {
  if (attempt.try_it != nullptr && attempt.try_it(attempt.what)) return true;
  return pending.state.load(std::memory_order_acquire) == kDone;
}

bool is_over(const Handle& handle) noexcept {
  return handle.over.load(std::memory_order_acquire) != PHX_OK;
}

std::uint32_t waits_of(const Attempt& attempt) noexcept {
  return attempt.try_it != nullptr ? kWaitsForReply | kWaitsForRoom : kWaitsForReply;
}

/// Sleeps on the wake socket, having asked to be woken and looked once more.
void sleep_leading(Handle& handle, const Pending& pending, const Attempt& attempt,
                   TimeNs deadline) noexcept {
  std::atomic_ref waits(handle.memory.page()->client_waits);
  waits.fetch_or(waits_of(attempt), std::memory_order_seq_cst);
  fence_before_sleep(handle.barriers);
  if (something_came(handle, std::memory_order_seq_cst) || is_done(pending, attempt)) {
    waits.fetch_and(~kWaitsForReply, std::memory_order_acq_rel);
    return;
  }
  const bool there = sleep_and_drain(handle.wake, deadline, handle.server_is_trusted);
  waits.fetch_and(~kWaitsForReply, std::memory_order_acq_rel);
  if (!there) {
    pump(handle);
    end_connection(handle, reason_of(handle));
  }
  wake_for_room(handle);
}

phx_status lead(Handle& handle, Pending& pending, const Attempt& attempt,
                TimeNs deadline) noexcept {
  Spinner spinner(handle.wait == PHX_IPC_POLL, handle.spin_ns);
  TimeNs now = 0;
  for (;;) {
    pump(handle);
    if (is_done(pending, attempt)) return PHX_OK;
    if (is_over(handle)) {
      fail_all(handle);
      return pending.state.load(std::memory_order_acquire) == kDone
                 ? PHX_OK
                 : static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
    }
    if (spinner.turn(now)) {
      if (now >= deadline) return PHX_TIMED_OUT;
      if (spinner.is_look_due(now) && !is_there(handle.wake))
        end_connection(handle, reason_of(handle));
      continue;
    }
    if (deadline != kNever && monotonic_now() >= deadline) return PHX_TIMED_OUT;
    sleep_leading(handle, pending, attempt, deadline);
  }
}

/// Sleeps until somebody ends the wait or gives the lead up. True: take the lead.
bool sleep_following(Handle& handle, Pending& pending, const Attempt& attempt,
                     TimeNs deadline) noexcept {
  std::uint32_t waiting = kWaiting;
  if (!pending.state.compare_exchange_strong(waiting, kAsleep, std::memory_order_seq_cst))
    return false;
  handle.sleepers.fetch_add(1, std::memory_order_seq_cst);
  // From here on the leader finds us: it may be told of room, once, before we have looked.
  bool done = false;
  if (attempt.try_it != nullptr) {
    std::atomic_ref(handle.memory.page()->client_waits)
        .fetch_or(kWaitsForRoom, std::memory_order_seq_cst);
    fence_before_sleep(handle.barriers);
    done = is_done(pending, attempt);
  }
  // Who led may have gone since: then nobody would wake us.
  const bool leads = !done && handle.leading.try_lock();
  if (!done && !leads) futex_wait(pending.state, kAsleep, deadline);
  handle.sleepers.fetch_sub(1, std::memory_order_seq_cst);
  std::uint32_t asleep = kAsleep;
  pending.state.compare_exchange_strong(asleep, kWaiting, std::memory_order_acq_rel);
  return leads;
}

}  // namespace

phx_status wait_for(Handle& handle, Pending& pending, const Attempt& attempt,
                    TimeNs deadline) noexcept {
  if (handle.spin_ns > 0) take_short_turns();
  Spinner spinner(handle.wait == PHX_IPC_POLL, handle.spin_ns);
  TimeNs now = 0;
  for (;;) {
    bool leads = handle.leading.try_lock();
    if (!leads) {
      if (is_done(pending, attempt)) return PHX_OK;
      if (deadline != kNever && monotonic_now() >= deadline) return PHX_TIMED_OUT;
      if (spinner.turn(now)) continue;
      leads = sleep_following(handle, pending, attempt, deadline);
    }
    if (!leads) continue;
    const phx_status status = lead(handle, pending, attempt, deadline);
    handle.leading.unlock();
    hand_on(handle);
    return status;
  }
}

bool release_kept(Handle& handle, std::uint64_t pin) noexcept {
  const auto slot = static_cast<unsigned>(pin & 0xff);
  if (slot >= kOutstandingMax) return false;
  const std::uint64_t bit = std::uint64_t{1} << slot;
  Pending& pending = handle.pending[slot];
  const LockGuard guard(handle.receive);
  if ((handle.kept & bit) == 0 || pending.sequence != pin >> 8) return false;
  handle.kept &= ~bit;
  release_responses(handle);
  pending.state.store(kFreeSlot, std::memory_order_relaxed);
  handle.free_slots.fetch_or(bit, std::memory_order_release);
  return true;
}

void take_replies(Handle& handle) noexcept { pump(handle); }

bool abandon(Handle& handle, Pending& pending) noexcept {
  const LockGuard guard(handle.receive);
  std::uint32_t waiting = kWaiting;
  return pending.state.compare_exchange_strong(waiting, kAbandoned, std::memory_order_acq_rel);
}

void distrust(Handle& handle) noexcept {
  end_connection(handle, PHX_BROKEN);
  shutdown(handle.socket, SHUT_RDWR);  // The server sees it, and whoever sleeps here wakes.
  shutdown(handle.wake, SHUT_RDWR);
}

void tell_of_room(Handle& handle) noexcept {
  shm::before_flag(handle.barriers);
  std::atomic_ref waits(handle.memory.page()->server_waits_for_room);
  if (waits.load(std::memory_order_seq_cst) == 0) [[likely]]
    return;
  if (waits.exchange(0, std::memory_order_acq_rel) != 0) send_wake(handle.socket);
}

}  // namespace phalanx::call
