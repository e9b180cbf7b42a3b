#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/base/patience.h"
#include "ipc/base/time_ns.h"
#include "ipc/client/biased_lock.h"
#include "ipc/client/channels.h"
#include "ipc/client/groups.h"
#include "ipc/client/lock.h"
#include "ipc/client/path.h"
#include "ipc/include/phalanx/phalanx.h"

namespace phalanx::client {

inline constexpr TimeNs kSpin = 30 * kMicrosecond;  ///< Before a wait sleeps, at least.

/// Where the attachment stands. Changed by the dispatching thread alone, under the send lock too.
enum class Link : std::uint8_t {
  Attached,
  Asking,   ///< Connected, the request is out, the reply has not come.
  Waiting,  ///< Until the next try, with back-off.
  Gone,     ///< For good: the application does not want to re-attach.
};

/// Names the calling thread, also against those that came before it.
[[nodiscard]] inline std::uintptr_t this_thread() noexcept {
  static constinit std::atomic<std::uintptr_t> last{0};
  static constinit thread_local std::uintptr_t mine = 0;
  if (mine == 0) [[unlikely]]
    mine = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return mine;
}

/// Room in the submit ring that a thread fills: nothing is shown before it is done.
struct Reservation {
  struct Room {
    std::byte* body = nullptr;  ///< A SubmissionBody, then the bytes.
    std::uint32_t bytes = 0;    ///< Without that.
  };
  std::uintptr_t thread = 0;              ///< 0: nobody's.
  shm::ClientChannel* channel = nullptr;  ///< Whose ring it is in, of the handle's.
  std::uint32_t count = 0;
  phx_status over = PHX_OK;  ///< Why it cannot be sent any more: its channel is gone,
  shm::SubmitMemory memory;  ///< but not this.
  Room rooms[PHX_RESERVED_MAX];

  [[nodiscard]] bool is_mine() const noexcept { return thread != 0 && thread == this_thread(); }
  /// Whether the ring of now has to wait for it.
  [[nodiscard]] bool holds_ring() const noexcept { return thread != 0 && over == PHX_OK; }
};

/// One attachment. Sending (the submit end, the groups) is guarded by the slot's send lock,
/// receiving (the delivery end, waiting, the connection) by its dispatch lock; who changes the
/// connection or frees the handle holds both, dispatch lock first. Callbacks run under the dispatch
/// lock alone.
struct Handle {
  phx_callbacks callbacks{};
  void* context = nullptr;
  SocketPath path;
  char program[64] = {};
  std::uint64_t submit_bytes = 0, delivery_bytes = 0;
  bool no_reattach = false;
  bool wants_log = false;
  bool fenced = false;  ///< This process is registered for barriers: shm/barrier.h.
  TimeNs spin_ns = 0;
  bool learns = false;  ///< How long to spin: nothing was asked for.
  Patience patience{kSpin};
  phx_handle value = 0;

  // The connection.
  Link link = Link::Waiting;
  int socket = -1;
  Channels channels;
  TimeNs next_try = 0;  ///< Waiting: when; Asking: when to give up.
  TimeNs back_off = 0;
  bool hung_up = false;     ///< Seen on the socket; what is queued is still dispatched first.
  bool distrusted = false;  ///< The data plane wrote rubbish: nothing more is taken from it.

  phx_quorum_state quorum{};  ///< Of the view dispatched last; under the send lock too.

  // Sending.
  GroupTable groups;
  std::atomic<bool> unsent_groups{false};  ///< Some group's Join or Open waits for room.
  /// Bytes of the submission that did not fit into each channel; 0: none waits.
  std::uint32_t room_wanted[shm::kChannelsMax] = {};
  std::atomic<bool> wants_room{false};  ///< Told TRY_AGAIN, so SENDABLE is owed.

  Reservation reservation;

  // Receiving.
  GroupId last_id = 0;  ///< The group that was looked up last, good while the table's version is.
  phx_group last_group = 0;
  std::uint32_t last_version = 0;
  std::size_t next_channel = 0;  ///< Where the next event is looked for first.
  bool armed = false;            ///< kWaitsForEvent is set.
  bool byte_owed = false;        ///< The worker took it: a byte is on its way through the socket.
  TimeNs last_look = 0;          ///< When the socket was last asked whether it is still there.
  std::atomic<bool> closing{false};
  bool finalised_inside = false;  ///< By a callback: dispatch frees it on its way out.

  // For phx_fd(): an epoll of the socket, a kick (events are left) and a timer (next try).
  int epoll_fd = -1, kick_fd = -1, timer_fd = -1;
  bool kicked = false;

  [[nodiscard]] bool attached() const noexcept { return link == Link::Attached; }
  /// SENDABLE is owed once so many bytes fit into the channel. Under the send lock.
  void want_room(shm::ClientChannel& channel, std::uint32_t body_bytes) noexcept {
    room_wanted[&channel - channels.all().data()] = body_bytes;
    wants_room.store(true, std::memory_order_relaxed);
    channel.wait_for(shm::kWaitsForRoom);
  }
};

/// The place of a handle, in static memory for ever, so that a stale value finds its locks.
struct Slot {
  BiasedLock send;
  std::atomic<bool> taken{false};  ///< By `handle` or `reserved_of`; looked at under no lock.
  Lock dispatch;
  std::atomic<std::uintptr_t> dispatcher{
      0};                        ///< The thread that holds `dispatch` for phx_dispatch().
  std::uint32_t generation = 0;  ///< Guarded by `send`.
  Handle* handle = nullptr;      ///< Guarded by `send`; nullptr: free.
  /// Of the handle that was here before: what a thread may still be writing to. Until that thread
  /// commits, nobody else gets this place. Guarded by `send`.
  phx_handle reserved_of = 0;
  std::uintptr_t reserved_by = 0;
  shm::SubmitMemory reserved_memory;
};

inline constexpr std::size_t kSlots = 256;

/// nullptr: no such slot. Whether the generation is right is known under its send lock only.
[[nodiscard]] Slot* slot_of(phx_handle handle) noexcept;
/// The live handle of `value`, or nullptr. Under the slot's send lock.
[[nodiscard]] Handle* live(Slot& slot, phx_handle value) noexcept;
/// Takes a handle out of its slot, for destroy(). Under both locks.
void take_out(Slot& slot) noexcept;
/// Frees a handle that is out of its slot. Under no lock.
void destroy(Handle* handle) noexcept;

/// Finds a handle and holds its send lock. False: PHX_BAD_HANDLE.
class Sending {
 public:
  explicit Sending(phx_handle value) noexcept : slot_(slot_of(value)) {
    if (slot_ == nullptr) return;
    as_owner_ = slot_->send.lock();
    handle_ = live(*slot_, value);
  }
  ~Sending() {
    if (slot_ != nullptr) slot_->send.unlock(as_owner_);
  }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  [[nodiscard]] Handle& handle() const noexcept { return *handle_; }

 private:
  Slot* slot_;
  Handle* handle_ = nullptr;
  bool as_owner_ = false;
};

/// Shows the worker at the channel's other end what was submitted, unless a thread still builds
/// some of it. Under the send lock.
inline void publish(Handle& handle, shm::ClientChannel& channel) noexcept {
  const Reservation& reservation = handle.reservation;
  if (reservation.holds_ring() && reservation.channel == &channel) [[unlikely]]
    return;  // The commit shows all.
  channel.publish_submissions();
}

}  // namespace phalanx::client
