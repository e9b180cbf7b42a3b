#include <cstring>

#include "ipc/call/client/handle.h"
#include "ipc/call/client/waiting_room.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {
namespace {

/// Whether an event waits.
bool something_came(Handle& handle, std::memory_order order) noexcept {
  return handle.events.queued_bytes() != 0 || handle.events.refresh(order) ||
         handle.broadcast.refresh(order);
}

/// Fills the event from the ring, and steps over it: its bytes stay until they are given back.
/// PHX_OK, PHX_TRY_AGAIN, PHX_BROKEN.
phx_status take_own(Handle& handle, phx_ipc_event& event) noexcept {
  shm::BulkRecord record;
  if (!handle.events.peek(record)) {
    if (!handle.events.broken()) return PHX_TRY_AGAIN;
  } else if (EventBody body; record.kind == static_cast<std::uint8_t>(EventKind::Event) &&
                             record.body.size() >= sizeof body) {
    std::memcpy(&body, record.body.data(), sizeof body);
    event = {.id = body.id,
             .data = record.body.data() + sizeof body,
             .bytes = record.body.size() - sizeof body};
    handle.events.pop();
    return PHX_OK;
  }
  distrust(handle);
  return PHX_BROKEN;
}

phx_status take_broadcast(Handle& handle, phx_ipc_event* events, std::size_t most,
                          std::size_t& count) noexcept {
  const phx_status status = handle.broadcast.take(events, most, count);
  if (status == PHX_OK) handle.broadcast_pinned = true;
  if (status == PHX_BROKEN) distrust(handle);
  return status;
}

/// The next event of either: both have their turns.
phx_status take(Handle& handle, phx_ipc_event& event) noexcept {
  if (!handle.broadcast.is_mapped()) return take_own(handle, event);
  std::size_t count = 0;
  const bool log_first = handle.broadcast_first;
  const phx_status first =
      log_first ? take_broadcast(handle, &event, 1, count) : take_own(handle, event);
  if (first != PHX_TRY_AGAIN) return first;
  return log_first ? take_own(handle, event) : take_broadcast(handle, &event, 1, count);
}

/// Whether an event is known to wait, without a look at what the server writes.
bool is_known_to_wait(const Handle& handle) noexcept {
  return handle.events.queued_bytes() != 0 || handle.broadcast.known_bytes() != 0;
}

/// The rest of a batch: of what is known to wait, so that nothing is looked at once an event. Of
/// both, who has its turn comes first: a batch of that one alone, if there is as much.
std::size_t take_known(Handle& handle, phx_ipc_event* events, std::size_t most) noexcept {
  std::size_t got = 0;
  for (const bool of_log : {handle.broadcast_first, !handle.broadcast_first}) {
    if (of_log && got < most && handle.broadcast.known_bytes() != 0) {
      std::size_t of_these = 0;
      if (take_broadcast(handle, events + got, most - got, of_these) != PHX_OK) return got;
      got += of_these;
    }
    while (!of_log && got < most && handle.events.queued_bytes() != 0) {
      if (take_own(handle, events[got]) != PHX_OK) return got;
      ++got;
    }
  }
  return got;
}

void give_back(Handle& handle) noexcept {
  const std::memory_order order = shm::publish_order(handle.barriers);
  const bool own = handle.events.release(order);
  if (handle.broadcast.release(order) || own) tell_of_room(handle);
}

/// Asks the server for a byte with the next event. True: there is something already, or the end.
/// A wish that stands costs nothing: only when the server took it is a byte there to be drained.
/// Or one that it sent late, after we had drained for it and wished anew: with `drain_too`, for who
/// never sleeps here, that is taken as well, and the end of a server that was killed is seen.
bool arm(Handle& handle, bool drain_too = false) noexcept {
  std::atomic_ref waits(handle.memory.page()->client_waits);
  if (drain_too || (waits.load(std::memory_order_relaxed) & kWaitsForEvent) == 0) {
    if (!drain(handle.socket)) end_connection(handle, reason_of(handle));
    // After draining: the byte of a wish that was met before it may have been taken.
    if ((waits.fetch_or(kWaitsForEvent, std::memory_order_seq_cst) & kWaitsForEvent) == 0)
      fence_before_sleep(handle.barriers);
  }
  return something_came(handle, std::memory_order_seq_cst) ||
         handle.over.load(std::memory_order_acquire) != PHX_OK;
}

/// The socket tells of a server that died; its last events come first.
bool is_over(Handle& handle) noexcept {
  if (handle.over.load(std::memory_order_acquire) != PHX_OK) return true;
  const Page& page = *handle.memory.page();
  const auto state =
      std::atomic_ref(const_cast<std::uint32_t&>(page.state)).load(std::memory_order_acquire);
  if (state != static_cast<std::uint32_t>(State::Open)) end_connection(handle, reason_of(handle));
  return handle.over.load(std::memory_order_acquire) != PHX_OK;
}

phx_status get(Handle& handle, phx_ipc_event& event, int timeout_ms) noexcept {
  if (timeout_ms == 0) handle.gatherer.look_at_once();
  if (!is_known_to_wait(handle)) handle.gatherer.before_look();
  phx_status status = take(handle, event);
  if (status != PHX_TRY_AGAIN) [[likely]]
    return status;
  handle.gatherer.look_at_once();
  give_back(handle);
  if (handle.spin_ns > 0 && timeout_ms != 0) take_short_turns();
  const TimeNs deadline = timeout_ms == 0 ? 0 : deadline_of(timeout_ms);
  Spinner spinner(handle.wait == PHX_IPC_POLL, handle.spin_ns);
  TimeNs now = 0;
  for (;;) {
    const bool over = is_over(handle);
    if (over && handle.closing.load(std::memory_order_relaxed)) return PHX_BAD_HANDLE;
    status = take(handle, event);  // After the look at the end: what came before it is there.
    if (status != PHX_TRY_AGAIN) return status;
    if (over) return static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
    if (timeout_ms == 0) {
      const bool watched = handle.fd_given.load(std::memory_order_relaxed);
      if (watched && arm(handle)) continue;
      // A server that was killed shows on the socket alone, and a late byte keeps it readable.
      if (++handle.empty_looks % (watched ? 8 : 256) == 0 && arm(handle, true)) continue;
      return PHX_TRY_AGAIN;
    }
    if (spinner.turn(now)) {
      if (now >= deadline) return PHX_TIMED_OUT;
      if (spinner.is_look_due(now) && !is_there(handle.socket))
        end_connection(handle, reason_of(handle));
      continue;
    }
    if (deadline != kNever && monotonic_now() >= deadline) return PHX_TIMED_OUT;
    if (arm(handle)) continue;
    if (!sleep_and_drain(handle.socket, deadline)) end_connection(handle, reason_of(handle));
  }
}

}  // namespace
}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_fd(phx_ipc_handle value, int* fd) {
  if (fd == nullptr) return PHX_INVALID;
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  reference.handle().fd_given.store(true, std::memory_order_relaxed);
  *fd = reference.handle().socket;
  return PHX_OK;
}

phx_status phx_ipc_get(phx_ipc_handle value, phx_ipc_event* event, int timeout_ms) {
  std::size_t count = 0;
  return phx_ipc_get_batch(value, event, 1, &count, timeout_ms);
}

phx_status phx_ipc_get_batch(phx_ipc_handle value, phx_ipc_event* events, std::size_t most,
                             std::size_t* count, int timeout_ms) {
  if (events == nullptr || count == nullptr || most == 0) return PHX_INVALID;
  Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  Handle& handle = reference.handle();
  const std::uintptr_t self = this_thread();
  std::uintptr_t nobody = 0;
  if (!handle.dispatcher.compare_exchange_strong(nobody, self, std::memory_order_acquire))
    return nobody == self ? PHX_PINNED : PHX_WRONG_THREAD;
  const phx_status status = get(handle, events[0], timeout_ms);
  if (status != PHX_OK) {
    handle.dispatcher.store(0, std::memory_order_release);
    return status;
  }
  const std::size_t got = 1 + take_known(handle, events + 1, most - 1);
  handle.gatherer.took(got);
  *count = got;
  handle.event_pinned.store(true, std::memory_order_relaxed);
  reference.keep();
  return PHX_OK;
}

phx_status phx_ipc_put(phx_ipc_handle value) {
  const Reference reference(value, true);
  if (reference.status() != PHX_OK) return reference.status();
  Handle& handle = reference.handle();
  const std::uintptr_t thread = handle.dispatcher.load(std::memory_order_relaxed);
  if (thread == 0) return PHX_NOT_PINNED;
  if (thread != this_thread()) return PHX_WRONG_THREAD;
  if (!handle.event_pinned.exchange(false, std::memory_order_relaxed)) return PHX_NOT_PINNED;
  phx_status status = PHX_OK;
  if (handle.broadcast_pinned) {
    handle.broadcast_pinned = false;
    if (handle.broadcast.is_evicted()) status = PHX_EVICTED;
  }
  handle.broadcast_first = !handle.broadcast_first;
  if (handle.events.release_is_due() ||
      (handle.broadcast.is_mapped() && handle.broadcast.release_is_due())) {
    give_back(handle);
  }
  handle.dispatcher.store(0, std::memory_order_release);
  drop(&handle);  // What the event held; ours is still there.
  return status;
}
