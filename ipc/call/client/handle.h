#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/base/time_ns.h"
#include "ipc/call/client/broadcast.h"
#include "ipc/call/gatherer.h"
#include "ipc/call/mapping.h"
#include "ipc/client/biased_lock.h"
#include "ipc/client/lock.h"
#include "ipc/include/phalanx/ipc_client.h"

namespace phalanx::call {

using client::Lock;
using client::LockGuard;

enum : std::uint32_t {
  kFreeSlot = 0,
  kWaiting = 1,
  kAsleep = 2,     ///< On the futex that this word is.
  kDone = 3,       ///< The reply is there, or there will be none.
  kAbandoned = 4,  ///< Its thread gave up; the reply frees the slot.
};

/// One request that waits, or one thread that waits for room. The state changes under
/// Handle::receive once the request is out.
struct alignas(64) Pending {
  std::atomic<std::uint32_t> state{kFreeSlot};
  std::uint32_t sequence = 0;
  std::atomic<bool> for_room{false};  ///< The request is not out yet: the ring has no room.
  bool pinned = false;                ///< Leave the reply in place; the slot is taken until then.
  const iovec* parts = nullptr;       ///< Else where it goes.
  std::size_t part_count = 0;
  std::size_t reply_bytes_max = 0;
  // Once done.
  phx_status status = PHX_OK;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
  shm::BulkConsumer::Position begin;  ///< Of a pinned reply: where it lies in the ring.
};

/// A zero-copy buffer: a piece of Mapping::buffers().
struct Buffer {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  ///< 0: free.
  std::uint64_t end = 0;    ///< The server is done with it once it has released this of the ring.
  std::uint16_t generation = 0;
  bool sending = false;  ///< A call or post of it is under way.
};

/// Room in the request ring that is being filled.
struct Reserved {
  std::byte* body = nullptr;  ///< A RequestBody, then the bytes.
  std::uint32_t bytes = 0;
};

/// Names the calling thread, also against those that came before it.
[[nodiscard]] inline std::uintptr_t this_thread() noexcept {
  static constinit thread_local char here = 0;
  return reinterpret_cast<std::uintptr_t>(&here);
}

/// A connection. What the ring ends and tables are guarded by stands with them; the locks are taken
/// in this order: leading, receive, send.
struct Handle {
  phx_ipc_handle value = 0;
  phx_ipc_wait wait = PHX_IPC_ADAPTIVE;
  TimeNs spin_ns = 0;
  bool barriers = false;            ///< See barrier.h.
  bool server_is_trusted = false;   ///< Root, or our own user: it made the wake socket.
  int socket = -1;                  ///< Our doorbell out, events in, hang-up.
  int wake = -1;                    ///< Replies and room in.
  std::atomic<int> attachment{-1};  ///< Until it is taken.
  Mapping memory;

  /// One from connecting, one a call in flight, one a pinned reply or event.
  std::atomic<std::uint32_t> references{1};
  std::atomic<bool> closing{false};
  /// PHX_OK, or why this connection is over.
  std::atomic<std::uint32_t> over{PHX_OK};

  // Sending: under the slot's send lock.
  alignas(64) shm::BulkProducer requests;
  std::atomic<std::uint64_t> free_slots{0};  ///< Bits; taken under the send lock.
  /// The thread that builds messages in the ring: nothing is shown before it is done. 0: none.
  std::uintptr_t reserver = 0;
  std::uint32_t reserved_count = 0;
  Reserved reserved[PHX_IPC_RESERVED_MAX];

  Buffer buffers[PHX_IPC_BUFFERS_MAX];

  // Receiving replies. Who leads looks for everybody; who holds `receive` touches the ring.
  alignas(64) Lock leading;
  Lock receive;
  shm::BulkConsumer responses;
  std::atomic<std::uint64_t> responses_seen{0};  ///< The shared tail when the ring was last empty.
  std::atomic<std::uint32_t> sleepers{0};        ///< Threads on the futex of their Pending.
  std::uint64_t kept = 0;  ///< Slots whose reply is pinned, as bits; under `receive`.

  // Events.
  alignas(64) std::uint32_t empty_looks = 0;
  shm::BulkConsumer events;
  BroadcastReader broadcast;
  Gatherer gatherer;
  bool broadcast_first = false;               ///< Whose turn it is, where both have events.
  bool broadcast_pinned = false;              ///< Some of what is pinned is of the log.
  std::atomic<std::uintptr_t> dispatcher{0};  ///< The thread that is in get, or has an event.
  std::atomic<bool> event_pinned{false};
  std::atomic<bool> fd_given{false};

  Pending pending[kOutstandingMax];
};

/// The place of a handle, in static memory for ever, so that a stale value finds its lock.
struct Slot {
  client::BiasedLock send;
  std::atomic<bool> taken{false};
  std::uint32_t generation = 0;
  std::uint32_t forked_generation = 0;  ///< Of the handle that fork() took away.
  Handle* handle = nullptr;
};
inline constexpr std::size_t kSlots = 1024;

[[nodiscard]] Slot* slot_of(phx_ipc_handle value) noexcept;
/// Under the slot's send lock. `closing_too`: for what gives back something pinned.
[[nodiscard]] phx_status look_up(const Slot& slot, phx_ipc_handle value, bool closing_too,
                                 Handle*& handle) noexcept;
/// Gives a reference back; the last one frees the handle. Under no lock.
void drop(Handle* handle) noexcept;
/// The connection is over, for a reason that stays the first one. Wakes nobody.
void end_connection(Handle& handle, phx_status why) noexcept;
/// Under the send lock: PHX_OK, PHX_PINNED (the thread's own reservation comes first), or why the
/// connection is over.
[[nodiscard]] phx_status may_send(const Handle& handle) noexcept;
/// The reason from the page, once the socket hung up.
[[nodiscard]] phx_status reason_of(const Handle& handle) noexcept;

/// Finds a handle and holds a reference to it.
class Reference {
 public:
  explicit Reference(phx_ipc_handle value, bool closing_too = false) noexcept;
  ~Reference() {
    if (handle_ != nullptr) drop(handle_);
  }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  [[nodiscard]] phx_status status() const noexcept { return status_; }
  [[nodiscard]] Handle& handle() const noexcept { return *handle_; }
  [[nodiscard]] Slot& slot() const noexcept { return *slot_; }
  /// Leaves the reference to something pinned.
  void keep() noexcept { handle_ = nullptr; }

 private:
  Slot* slot_;
  Handle* handle_ = nullptr;
  phx_status status_ = PHX_BAD_HANDLE;
};

/// phx_ipc_connect()'s work, in connect.cc: fills a fresh handle.
[[nodiscard]] phx_status connect_handle(Handle& handle, const char* name, std::uint32_t service,
                                        const phx_ipc_options& options) noexcept;

}  // namespace phalanx::call
