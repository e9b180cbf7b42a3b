#include <ctime>

#include "ipc/client/events.h"
#include "ipc/client/handle.h"
#include "ipc/client/link.h"
#include "ipc/client/waiting.h"

namespace phalanx::client {
namespace {

constexpr TimeNs kLookInterval = 4 * kMillisecond;

/// Holds the dispatch lock of a live handle, and frees a handle that a callback has finalised.
class Dispatching {
 public:
  explicit Dispatching(phx_handle value) noexcept : slot_(slot_of(value)) {
    if (slot_ == nullptr) return;
    if (slot_->dispatcher.load(std::memory_order_relaxed) == this_thread()) {
      recursive_ = true;
      slot_ = nullptr;
      return;
    }
    slot_->dispatch.lock();
    const BiasedGuard guard(slot_->send);
    handle_ = live(*slot_, value);
    if (handle_ != nullptr) slot_->dispatcher.store(this_thread(), std::memory_order_relaxed);
  }
  ~Dispatching() {
    if (slot_ == nullptr) return;
    Handle* finalised = nullptr;
    if (handle_ != nullptr) {
      slot_->dispatcher.store(0, std::memory_order_relaxed);
      const BiasedGuard guard(slot_->send);
      if (handle_->finalised_inside) {
        finalised = handle_;
        take_out(*slot_);
      }
    }
    slot_->dispatch.unlock();
    if (finalised != nullptr) destroy(finalised);
  }
  Dispatching(const Dispatching&) = delete;
  Dispatching& operator=(const Dispatching&) = delete;

  [[nodiscard]] bool recursive() const noexcept { return recursive_; }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  [[nodiscard]] Slot& slot() const noexcept { return *slot_; }
  [[nodiscard]] Handle& handle() const noexcept { return *handle_; }

 private:
  Slot* slot_;
  Handle* handle_ = nullptr;
  bool recursive_ = false;
};

/// Whether what found no room in the channel now would. False: the worker wakes us when it has made
/// some.
bool has_room(shm::ClientChannel& channel, std::uint32_t wanted) noexcept {
  const auto enough = [&] {
    channel.refresh_room();
    return channel.room_bytes() >= channel.geometry().submit_bytes / 4 &&
           channel.reserve_submission(wanted) != nullptr;
  };
  if (enough()) return true;
  channel.wait_for(shm::kWaitsForRoom);
  return enough();
}

/// What was promised after TRY_AGAIN. True: the application was told that it may send.
bool settle_room(Slot& slot, Handle& handle) noexcept {
  if (!handle.wants_room.load(std::memory_order_relaxed) &&
      !handle.unsent_groups.load(std::memory_order_relaxed)) {
    return false;
  }
  bool any = false;
  {
    const BiasedGuard guard(slot.send);
    send_groups(handle);
    if (!handle.wants_room.load(std::memory_order_relaxed)) return false;
    bool all = true;
    std::uint32_t* wanted = handle.room_wanted;
    for (shm::ClientChannel& channel : handle.channels.all()) {
      std::uint32_t& bytes = *wanted++;
      if (bytes == 0) continue;
      if (!has_room(channel, bytes)) {
        all = false;
        continue;
      }
      if (!channel.wait_no_more(shm::kWaitsForRoom)) handle.byte_owed = true;
      bytes = 0;
      any = true;
    }
    if (all) handle.wants_room.store(false, std::memory_order_relaxed);
  }
  if (any) tell(handle, PHX_EVENT_SENDABLE);
  return any;
}

/// Messages that follow one another in the ring, for a callback that takes them together.
class Gathered {
 public:
  explicit Gathered(Handle& handle) noexcept : handle_(handle) {}

  /// False: it makes no sense.
  [[nodiscard]] bool add(Slot& slot, const shm::BulkRecord& record) noexcept {
    if (!read_message(slot, handle_, record, messages_[count_])) return false;
    if (messages_[count_].group != 0) ++count_;
    if (count_ == PHX_DISPATCHED_MAX) show();
    return true;
  }
  /// Before anything else of the ring is shown, and before their space is given back.
  void show() noexcept {
    if (count_ > 0 && !handle_.closing.load(std::memory_order_relaxed))
      handle_.callbacks.messages(handle_.context, handle_.value, messages_, count_);
    count_ = 0;
  }

 private:
  Handle& handle_;
  std::size_t count_ = 0;
  phx_message messages_[PHX_DISPATCHED_MAX];
};

/// As run_ring(), with the messages in batches.
std::size_t run_ring_in_batches(Slot& slot, Handle& handle, shm::ClientChannel& channel,
                                bool only_one) noexcept {
  std::size_t count = 0;
  shm::BulkRecord record;
  Gathered gathered(handle);
  while (channel.queued_event_bytes() > 0 && channel.peek_event(record)) {
    bool good = true;
    if (static_cast<shm::EventKind>(record.kind) == shm::EventKind::Message) {
      good = gathered.add(slot, record);
    } else {
      gathered.show();
      good = handle.closing.load(std::memory_order_relaxed) || handle_event(slot, handle, record);
    }
    channel.pop_event();
    if (!good) {
      handle.distrusted = true;
      break;
    }
    ++count;
    if (only_one || handle.closing.load(std::memory_order_relaxed)) break;
    if (channel.release_is_due()) {
      gathered.show();
      channel.release_events();
    }
  }
  gathered.show();
  channel.release_events();
  return count;
}

/// Dispatches what one ring shows now, or one event of it. Returns how many.
std::size_t run_ring(Slot& slot, Handle& handle, shm::ClientChannel& channel,
                     bool only_one) noexcept {
  std::size_t count = 0;
  if (!channel.refresh_events()) return 0;
  if (handle.callbacks.messages != nullptr)
    return run_ring_in_batches(slot, handle, channel, only_one);
  shm::BulkRecord record;
  while (channel.queued_event_bytes() > 0 && channel.peek_event(record)) {
    const bool good = handle_event(slot, handle, record);
    channel.pop_event();
    if (!good) {
      handle.distrusted = true;
      break;
    }
    ++count;
    if (only_one || handle.closing.load(std::memory_order_relaxed)) break;
    if (channel.release_is_due()) channel.release_events();
  }
  channel.release_events();
  return count;
}

/// The same of all rings: each in its turn comes first.
std::size_t run_rings(Slot& slot, Handle& handle, bool only_one) noexcept {
  const auto channels = handle.channels.all();
  if (channels.size() == 1) return run_ring(slot, handle, channels[0], only_one);
  std::size_t count = 0;
  const std::size_t first = handle.next_channel++;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    count += run_ring(slot, handle, channels[(first + i) % channels.size()], only_one);
    if ((only_one && count > 0) || handle.distrusted ||
        handle.closing.load(std::memory_order_relaxed))
      break;
  }
  return count;
}

/// Looks at the socket now and then, for a dispatcher that never sleeps.
void look_for_hang_up(Handle& handle) noexcept {
  if (handle.hung_up) return;
  timespec coarse{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
  const TimeNs now =
      static_cast<TimeNs>(coarse.tv_sec) * kSecond + static_cast<TimeNs>(coarse.tv_nsec);
  if (now - handle.last_look < kLookInterval) return;
  handle.last_look = now;
  if (!drain_socket(handle)) handle.hung_up = true;
}

/// One round of everything that may wait. Returns how many events it handled.
std::size_t run_once(Slot& slot, Handle& handle, bool only_one) noexcept {
  if (!handle.attached()) {
    if (handle.link == Link::Gone || !step_link(slot, handle, monotonic_now())) return 0;
    tell(handle, PHX_EVENT_ATTACHED);
    return 1;
  }
  disarm(handle);
  std::size_t count = settle_room(slot, handle) ? 1 : 0;
  if (count > 0 && only_one) return count;
  // The state first: what was published before it changed is then seen by the rings' refresh.
  const shm::ChannelState state = handle.channels.state();
  if (!handle.distrusted) count += run_rings(slot, handle, only_one);
  if (count == 0) {
    look_for_hang_up(handle);
    if (handle.hung_up && !handle.distrusted)
      count = run_rings(slot, handle, only_one);  // Came just before.
  }
  if (count > 0 || handle.closing.load(std::memory_order_relaxed)) return count;

  if (state == shm::ChannelState::Evicted) {
    leave_evicted(slot, handle);
    tell(handle, PHX_EVENT_EVICTED, PHX_EVICTED);
    return 1;
  }
  if (handle.hung_up || handle.distrusted || handle.channels.broken() ||
      state != shm::ChannelState::Open) {
    lose_link(slot, handle);
    tell(handle, PHX_EVENT_DISCONNECTED, PHX_DISCONNECTED);
    return 1;
  }
  return 0;
}

phx_status dispatch(Slot& slot, Handle& handle, phx_dispatch_mode mode, int timeout_ms) noexcept {
  TimeNs deadline = kNever;
  if (timeout_ms == 0) deadline = 0;
  if (timeout_ms > 0) deadline = monotonic_now() + static_cast<TimeNs>(timeout_ms) * kMillisecond;
  std::size_t handled = 0;
  for (;;) {
    const std::size_t now = run_once(slot, handle, mode == PHX_DISPATCH_ONE);
    handled += now;
    if (handle.closing.load(std::memory_order_relaxed)) return PHX_BAD_HANDLE;
    if (handled > 0 && mode != PHX_DISPATCH_FOREVER) break;
    if (handle.link == Link::Gone) return handled > 0 ? PHX_OK : PHX_DISCONNECTED;
    if (deadline == 0) break;
    if (now > 0) {
      if (deadline != kNever && monotonic_now() >= deadline) break;
      continue;
    }
    if (!wait_for_work(handle, deadline)) break;
    if (handle.closing.load(std::memory_order_relaxed)) return PHX_BAD_HANDLE;
  }
  settle(handle, handled > 0);
  return handled > 0 ? PHX_OK : PHX_TRY_AGAIN;
}

}  // namespace
}  // namespace phalanx::client

using namespace phalanx;
using namespace phalanx::client;

phx_status phx_dispatch(phx_handle value, phx_dispatch_mode mode, int timeout_ms) {
  const Dispatching dispatching(value);
  if (dispatching.recursive()) return Sending(value) ? PHX_INVALID : PHX_BAD_HANDLE;
  if (!dispatching) return PHX_BAD_HANDLE;
  if (mode != PHX_DISPATCH_ONE && mode != PHX_DISPATCH_ALL && mode != PHX_DISPATCH_FOREVER)
    return PHX_INVALID;
  return dispatch(dispatching.slot(), dispatching.handle(), mode, timeout_ms);
}

phx_status phx_fd(phx_handle value, int* fd) {
  if (fd == nullptr) return PHX_INVALID;
  {
    const Sending sending(value);
    if (!sending) return PHX_BAD_HANDLE;
    *fd = sending.handle().epoll_fd;
    if (*fd >= 0) return PHX_OK;
  }
  // Inside a callback this thread has the dispatch lock already, and the dispatch settles at its
  // end.
  const Dispatching dispatching(value);
  const Sending sending(value);
  if (!sending) return PHX_BAD_HANDLE;
  Handle& handle = sending.handle();
  if (handle.epoll_fd < 0) {
    if (!make_descriptors(handle)) return PHX_NO_MEMORY;
    if (!dispatching.recursive()) settle(handle, false);
  }
  *fd = handle.epoll_fd;
  return PHX_OK;
}
