#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "ipc/client/handle.h"
#include "ipc/client/link.h"

namespace phalanx::client {
namespace {

constexpr TimeNs kRetryInterval = 10 * kMillisecond;

Slot slots[kSlots];
Lock slots_lock;  ///< Held to take a free slot.
bool fork_watched = false;
bool fenced = false;  ///< Data planes may have our threads pass a fence: shm/barrier.h.

/// A child of fork() has copies of the descriptors, which would hide our death from the data plane,
/// and none of the rings. It forgets all handles; their memory stays, nothing here may call free().
void after_fork_in_child() {
  slots_lock.reset();
  for (Slot& slot : slots) {
    slot.send.reset();
    slot.dispatch.reset();
    slot.dispatcher.store(0, std::memory_order_relaxed);
    slot.taken.store(false, std::memory_order_relaxed);
    slot.reserved_of = slot.reserved_by = 0;
    slot.reserved_memory = {};  // A child has none of it.
    if (slot.handle == nullptr) continue;
    Handle& handle = *slot.handle;
    for (int* fd : {&handle.socket, &handle.epoll_fd, &handle.kick_fd, &handle.timer_fd}) {
      if (*fd >= 0) close(*fd);
      *fd = -1;
    }
    handle.channels.abandon_after_fork();
    handle.reservation.memory = {};
    slot.handle = nullptr;
    ++slot.generation;
  }
}

Handle* make_handle(const phx_options& options) noexcept {
  void* memory = nullptr;
  if (posix_memalign(&memory, alignof(Handle), sizeof(Handle)) != 0) return nullptr;
  auto* handle = new (memory) Handle;
  handle->callbacks = options.callbacks;
  handle->context = options.context;
  handle->submit_bytes = options.submit_ring_bytes;
  handle->delivery_bytes = options.delivery_ring_bytes;
  handle->no_reattach = options.no_reattach != 0;
  handle->wants_log = options.delivery == PHX_DELIVERY_SHARED;
  handle->learns = options.spin_us == 0;
  if (options.spin_us >= 0)
    handle->spin_ns = handle->learns ? kSpin : static_cast<TimeNs>(options.spin_us) * kMicrosecond;
  const char* program =
      options.program != nullptr ? options.program : program_invocation_short_name;
  std::snprintf(handle->program, sizeof handle->program, "%s", program);
  return handle;
}

/// The first attach, which may wait.
phx_status attach_now(Handle& handle, TimeNs deadline) noexcept {
  for (;;) {
    Step step = start_asking(handle);
    while (step == Step::Pending) {
      const TimeNs now = monotonic_now();
      if (now >= deadline) {
        drop_link(handle);
        return PHX_TRY_AGAIN;
      }
      pollfd reply{.fd = handle.socket, .events = POLLIN, .revents = 0};
      (void)poll(&reply, 1, static_cast<int>((deadline - now) / kMillisecond) + 1);
      step = poll_reply(handle);
    }
    if (step != Step::TryLater) return status_of(step);
    if (monotonic_now() + kRetryInterval >= deadline) return PHX_TRY_AGAIN;
    (void)poll(nullptr, 0, static_cast<int>(kRetryInterval / kMillisecond));
  }
}

phx_status place(Handle* handle, phx_handle* out) noexcept {
  const LockGuard guard(slots_lock);
  for (std::size_t i = 0; i < kSlots; ++i) {
    Slot& slot = slots[i];
    if (slot.taken.load(std::memory_order_acquire)) continue;
    // Who attaches need not be who sends: the lock is to be that thread's.
    slot.send.lock_for_anybody();
    slot.taken.store(true, std::memory_order_relaxed);
    slot.handle = handle;
    if (slot.generation == 0) slot.generation = 1;
    handle->value = static_cast<phx_handle>(slot.generation) << 32 | (i + 1);
    slot.send.renew();
    slot.send.unlock(false);
    *out = handle->value;
    return PHX_OK;
  }
  return PHX_LIMIT;
}

}  // namespace

Slot* slot_of(phx_handle handle) noexcept {
  const std::uint64_t number = handle & 0xffffffff;
  return number >= 1 && number <= kSlots ? &slots[number - 1] : nullptr;
}

Handle* live(Slot& slot, phx_handle value) noexcept {
  return slot.handle != nullptr && slot.generation == value >> 32 ? slot.handle : nullptr;
}

void take_out(Slot& slot) noexcept {
  Reservation& reservation = slot.handle->reservation;
  if (reservation.thread != 0) {
    slot.reserved_of = slot.handle->value;
    slot.reserved_by = reservation.thread;
    slot.reserved_memory = reservation.over == PHX_OK
                               ? reservation.channel->close_but_keep_submit_memory()
                               : reservation.memory;
    reservation.thread = 0;
  }
  slot.handle = nullptr;
  slot.taken.store(slot.reserved_of != 0, std::memory_order_release);
}

void destroy(Handle* handle) noexcept {
  drop_link(*handle);
  for (const int fd : {handle->epoll_fd, handle->kick_fd, handle->timer_fd}) {
    if (fd >= 0) close(fd);
  }
  handle->~Handle();
  std::free(handle);
}

}  // namespace phalanx::client

using namespace phalanx;
using namespace phalanx::client;

phx_status phx_initialize(const phx_options* options, phx_handle* out) {
  const phx_options defaults{.struct_bytes = sizeof(phx_options)};
  if (options == nullptr) options = &defaults;
  if (out == nullptr || options->struct_bytes != sizeof(phx_options) ||
      (options->delivery != PHX_DELIVERY_PRIVATE && options->delivery != PHX_DELIVERY_SHARED)) {
    return PHX_INVALID;
  }
  {
    const LockGuard guard(slots_lock);
    if (!fork_watched && pthread_atfork(nullptr, nullptr, after_fork_in_child) != 0)
      return PHX_NO_MEMORY;
    if (!fork_watched) {
      allow_bias();
      fenced = shm::register_for_barriers();
    }
    fork_watched = true;
  }
  Handle* handle = make_handle(*options);
  if (handle == nullptr) return PHX_NO_MEMORY;
  handle->fenced = fenced;
  phx_status status = PHX_INVALID;
  if (find_socket(options->instance, options->runtime_directory, "phalanx.sock", handle->path)) {
    const int timeout_ms = options->attach_timeout_ms > 0 ? options->attach_timeout_ms : 5000;
    status = attach_now(*handle, monotonic_now() + static_cast<TimeNs>(timeout_ms) * kMillisecond);
  }
  if (status == PHX_OK) status = place(handle, out);
  if (status != PHX_OK) destroy(handle);
  return status;
}

phx_status phx_finalize(phx_handle value) {
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  Handle* handle = nullptr;
  {
    const BiasedGuard guard(slot->send);
    handle = live(*slot, value);
    if (handle == nullptr) return PHX_BAD_HANDLE;
    ++slot->generation;  // From here on every other call with this value is told so.
    handle->closing.store(true, std::memory_order_relaxed);
    if (slot->dispatcher.load(std::memory_order_relaxed) == this_thread()) {
      handle->finalised_inside = true;
      return PHX_OK;
    }
    if (handle->socket >= 0)
      shutdown(handle->socket, SHUT_RDWR);  // Wakes a thread that waits in dispatch.
  }
  {
    const LockGuard dispatch_guard(slot->dispatch);
    const BiasedGuard guard(slot->send);
    take_out(*slot);
  }
  destroy(handle);
  return PHX_OK;
}
