#include <sys/socket.h>

#include <cstring>

#include "ipc/call/parts.h"
#include "ipc/call/server/server.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {
namespace {

/// What a record of so many bytes takes of the ring and of its bulk ring, at most.
void needs(const Connection& c, std::uint64_t bytes, std::uint64_t& ring,
           std::uint64_t& bulk) noexcept {
  const std::uint64_t record = shm::ring_record_bytes(sizeof(ResponseBody) + bytes);
  const std::uint64_t half = c.memory.geometry().response_bytes / 2;
  // A reply may turn out shorter than the client allows for, and then lies in the ring.
  ring = record < half ? record : half;
  bulk = record > half ? record : 0;
}

void close_call(Connection& c, OpenCall& call) noexcept {
  call.open = false;
  --c.open_calls;
  c.ring_kept -= call.ring_need;
  c.bulk_kept -= call.bulk_need;
}

/// The open call of a request. PHX_REPLIED, PHX_INVALID.
phx_status find_call(Connection& c, phx_ipc_request request, OpenCall*& call,
                     std::uint32_t& slot) noexcept {
  slot = static_cast<std::uint32_t>(request & 0xff) - 1;
  const auto turn = static_cast<std::uint32_t>(request >> 8);
  if (slot >= c.memory.geometry().outstanding_max || !c.calls[slot].ever ||
      turn - 1 >= c.calls[slot].turn) {
    return PHX_INVALID;
  }
  call = &c.calls[slot];
  return call->open && call->turn == turn ? PHX_OK : PHX_REPLIED;
}

/// Room for a reply was kept when its call was taken, so that there is some unless the client lies.
phx_status answer(phx_ipc_server& server, Connection& c, phx_ipc_request request, phx_status status,
                  const iovec* parts, std::size_t count, std::uint64_t bytes) noexcept {
  if (c.gone) return PHX_DISCONNECTED;
  OpenCall* call = nullptr;
  std::uint32_t slot = 0;
  const phx_status found = find_call(c, request, call, slot);
  if (found != PHX_OK) return found;
  if (bytes > call->reply_bytes_max) return PHX_TOO_BIG;
  std::byte* room = c.responses.append(static_cast<std::uint32_t>(sizeof(ResponseBody) + bytes),
                                       static_cast<std::uint8_t>(ResponseKind::Reply), 0);
  if (room == nullptr) {
    cut_off(c, State::Broken);
    return PHX_DISCONNECTED;
  }
  const ResponseBody body{
      .slot = slot, .sequence = call->sequence, .status = status, .reserved = 0};
  std::memcpy(room, &body, sizeof body);
  gather(room + sizeof body, parts, count);
  close_call(c, *call);
  c.responses.publish(shm::publish_order(c.barriers));
  wake_client(c, kWaitsForReply);
  // What was kept for this reply and not used may be what the next call waits for: nobody else
  // tells the loop of that. A thread of its own looks by the clock.
  if (c.stalled.load(std::memory_order_relaxed)) [[unlikely]] {
    server.room_made.store(true, std::memory_order_release);
    kick(server);
  }
  return PHX_OK;
}

/// Who was evicted, for the line that is said once no lock is held: a log may ask about clients.
struct Eviction {
  pid_t pid = 0;
  uid_t uid = 0;
  std::uint64_t bytes = 0;
};

/// What an event that found no room waits for, beside those that do already.
void note_need(Connection& c, std::uint64_t bytes) noexcept {
  const std::uint64_t record = shm::ring_record_bytes(sizeof(EventBody) + bytes);
  const bool in_bulk = record > c.events.ring_bytes() / 2;
  const std::uint64_t ring = in_bulk ? shm::ring_record_bytes(0) : record;
  if (ring > c.ring_awaited) c.ring_awaited = ring;
  if (in_bulk && record > c.bulk_awaited) c.bulk_awaited = record;
}

/// The dispatch ring has no room for an event of so many bytes. PHX_OK: try again, there is some
/// after all.
phx_status meet_policy(const phx_ipc_server& server, Connection& c, std::uint64_t bytes,
                       Eviction& eviction) noexcept {
  if (c.events.broken()) {
    cut_off(c, State::Broken);
    return PHX_DISCONNECTED;
  }
  if (server.options.policy == PHX_IPC_THROTTLE) {
    const TimeNs now = monotonic_now();
    const std::uint64_t released = c.events.released_bytes();
    if (c.blocked_since == 0 || released != c.released_then) {
      c.blocked_since = now;
      c.released_then = released;
    }
    const auto most = static_cast<TimeNs>(server.options.throttle_max_ms) * kMillisecond;
    if (now - c.blocked_since <= most) {
      std::atomic_ref(c.memory.page()->flow_control).store(1, std::memory_order_relaxed);
      note_need(c, bytes);
      // First: the byte may come at once, to a thread that looks at this.
      const bool first = !c.awaits_room.exchange(true, std::memory_order_relaxed);
      ask_for_room(c);
      return first ? PHX_OK : PHX_TRY_AGAIN;
    }
  }
  eviction = {.pid = c.pid, .uid = c.uid, .bytes = c.events.used_bytes()};
  cut_off(c, State::Evicted);
  return PHX_EVICTED;
}

phx_status dispatch(phx_ipc_server* server, phx_ipc_connection connection, std::uint32_t id,
                    const iovec* parts, std::size_t count, Eviction& eviction) noexcept {
  std::uint64_t bytes = 0;
  if (!sum_parts(parts, count, bytes)) return PHX_INVALID;
  const Locked locked(server, connection);
  if (locked.status() != PHX_OK) return locked.status();
  Connection& c = locked.connection();
  if (c.gone) return PHX_DISCONNECTED;
  if (c.sealed) return PHX_EVICTED;
  if (bytes > c.memory.geometry().message_bytes_max) return PHX_TOO_BIG;
  std::byte* room = nullptr;
  for (;;) {
    room = c.events.append(static_cast<std::uint32_t>(sizeof(EventBody) + bytes),
                           static_cast<std::uint8_t>(EventKind::Event), 0);
    if (room != nullptr) break;
    const phx_status status = meet_policy(*server, c, bytes, eviction);
    if (status != PHX_OK) return status;
  }
  const EventBody body{.id = id, .reserved = 0};
  std::memcpy(room, &body, sizeof body);
  gather(room + sizeof body, parts, count);
  c.events.publish(shm::publish_order(c.barriers));
  wake_client(c, kWaitsForEvent);
  return PHX_OK;
}

}  // namespace

void cut_off(Connection& c, State why) noexcept {
  if (c.gone) return;
  std::atomic_ref state(c.memory.page()->state);
  std::uint32_t open = static_cast<std::uint32_t>(State::Open);
  state.compare_exchange_strong(open, static_cast<std::uint32_t>(why), std::memory_order_seq_cst);
  if (!c.sealed) c.cut_why = why;
  c.sealed = true;
  c.cut.store(true, std::memory_order_relaxed);
  shutdown(c.wake, SHUT_RDWR);
  shutdown(c.socket, SHUT_RDWR);  // The serving thread sees a hang-up, and so does the client.
}

bool keep_room(Connection& c, OpenCall& call, std::uint32_t reply_bytes_max) noexcept {
  needs(c, reply_bytes_max, call.ring_need, call.bulk_need);
  const auto fits = [&] {
    return call.ring_need + c.ring_kept <= c.responses.free_bytes() &&
           (call.bulk_need == 0 || call.bulk_need + c.bulk_kept <= c.responses.bulk_free_bytes());
  };
  if (!fits()) {
    c.responses.refresh_both();
    if (!fits()) {
      ask_for_room(c);
      c.responses.refresh_both();
    }
    if (c.responses.broken() || !fits()) return false;
  }
  call.reply_bytes_max = reply_bytes_max;
  c.ring_kept += call.ring_need;
  c.bulk_kept += call.bulk_need;
  return true;
}

void ask_for_room(const Connection& c) noexcept {
  // One that stands since the last barrier is as good as new: who gave room back since took it.
  std::atomic_ref waits(c.memory.page()->server_waits_for_room);
  if (waits.exchange(1, std::memory_order_seq_cst) == 0) shm::barrier_everywhere(c.barriers);
}

void wake_client(const Connection& c, std::uint32_t wish) noexcept {
  // The client sets its bit and then looks at the ring; we stored the ring's index and now look at
  // the bit: one of the two sees the other (barrier.h).
  shm::before_flag(c.barriers);
  std::atomic_ref waits(c.memory.page()->client_waits);
  if ((waits.load(std::memory_order_seq_cst) & wish) == 0) [[likely]]
    return;
  if ((waits.fetch_and(~wish, std::memory_order_acq_rel) & wish) != 0)
    send_wake(wish == kWaitsForEvent ? c.socket : c.wake);
}

phx_status refuse(phx_ipc_server& server, Connection& c, phx_ipc_request request,
                  phx_status status) noexcept {
  return answer(server, c, request, status, nullptr, 0, 0);
}

}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_reply_send(phx_ipc_server* server, phx_ipc_connection connection,
                              phx_ipc_request request, const void* data, std::size_t bytes) {
  const iovec part{.iov_base = const_cast<void*>(data), .iov_len = bytes};
  return phx_ipc_reply_sendv(server, connection, request, &part, 1);
}

phx_status phx_ipc_reply_sendv(phx_ipc_server* server, phx_ipc_connection connection,
                               phx_ipc_request request, const iovec* parts, std::size_t count) {
  std::uint64_t bytes = 0;
  if (!sum_parts(parts, count, bytes)) return PHX_INVALID;
  const Locked locked(server, connection);
  if (locked.status() != PHX_OK) return locked.status();
  return answer(*server, locked.connection(), request, PHX_OK, parts, count, bytes);
}

phx_status phx_ipc_refuse(phx_ipc_server* server, phx_ipc_connection connection,
                          phx_ipc_request request, phx_status status) {
  if (status <= PHX_OK || status > PHX_BROKEN) return PHX_INVALID;
  const Locked locked(server, connection);
  if (locked.status() != PHX_OK) return locked.status();
  return refuse(*server, locked.connection(), request, status);
}

phx_status phx_ipc_dispatch(phx_ipc_server* server, phx_ipc_connection connection, std::uint32_t id,
                            const void* data, std::size_t bytes) {
  const iovec part{.iov_base = const_cast<void*>(data), .iov_len = bytes};
  return phx_ipc_dispatchv(server, connection, id, &part, 1);
}

phx_status phx_ipc_dispatchv(phx_ipc_server* server, phx_ipc_connection connection,
                             std::uint32_t id, const iovec* parts, std::size_t count) {
  Eviction eviction;
  const phx_status status = dispatch(server, connection, id, parts, count, eviction);
  if (eviction.bytes != 0) [[unlikely]] {
    say(*server, 4, "evicted process %d of user %u: it did not read %llu bytes of events",
        eviction.pid, eviction.uid, static_cast<unsigned long long>(eviction.bytes));
  }
  return status;
}

phx_status phx_ipc_evict(phx_ipc_server* server, phx_ipc_connection connection) {
  const Locked locked(server, connection);
  if (locked.status() != PHX_OK) return locked.status();
  if (locked.connection().gone) return PHX_DISCONNECTED;
  cut_off(locked.connection(), State::Evicted);
  return PHX_OK;
}
