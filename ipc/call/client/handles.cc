#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "ipc/call/client/handle.h"
#include "ipc/call/fork.h"

namespace phalanx::call {
namespace {

Slot slots[kSlots];
Lock slots_lock;  ///< Held to take a free slot.
bool fork_watched = false;
std::atomic<std::uint32_t> forks{0};

/// A child of fork() has copies of the descriptors, which would hide our death from the server, and
/// none of the rings. It forgets all handles; their memory stays, nothing here may call free().
void after_fork_in_child() {
  forks.fetch_add(1, std::memory_order_relaxed);
  slots_lock.reset();
  for (Slot& slot : slots) {
    slot.send.reset();
    slot.taken.store(false, std::memory_order_relaxed);
    if (slot.handle == nullptr) continue;
    for (int* fd : {&slot.handle->socket, &slot.handle->wake}) {
      if (*fd >= 0) close(*fd);
      *fd = -1;
    }
    const int attachment = slot.handle->attachment.exchange(-1, std::memory_order_relaxed);
    if (attachment >= 0) close(attachment);
    slot.handle->memory.forget();
    slot.handle->broadcast.forget();
    slot.handle = nullptr;
    slot.forked_generation = slot.generation++;
  }
}

phx_status place(Handle* handle) noexcept {
  const LockGuard guard(slots_lock);
  for (std::size_t i = 0; i < kSlots; ++i) {
    Slot& slot = slots[i];
    if (slot.taken.load(std::memory_order_acquire)) continue;
    // Who connects need not be who sends: the lock is to be that thread's.
    slot.send.lock_for_anybody();
    slot.taken.store(true, std::memory_order_relaxed);
    slot.handle = handle;
    if (slot.generation == 0) slot.generation = 1;
    handle->value = static_cast<phx_ipc_handle>(slot.generation) << 32 | (i + 1);
    slot.send.renew();
    slot.send.unlock(false);
    return PHX_OK;
  }
  return PHX_LIMIT;
}

void destroy(Handle* handle) noexcept {
  if (Slot* slot = slot_of(handle->value); slot != nullptr) {
    const client::BiasedGuard guard(slot->send);
    slot->handle = nullptr;
    ++slot->generation;
    slot->taken.store(false, std::memory_order_release);
  }
  for (const int fd : {handle->socket, handle->wake}) {
    if (fd < 0) continue;
    shutdown(fd, SHUT_RDWR);  // Seen at once, whoever else may have a copy.
    close(fd);
  }
  const int attachment = handle->attachment.load(std::memory_order_relaxed);
  if (attachment >= 0) close(attachment);
  handle->~Handle();
  std::free(handle);
}

}  // namespace

bool watch_forks() noexcept {
  const LockGuard guard(slots_lock);
  if (fork_watched) return true;
  if (pthread_atfork(nullptr, nullptr, after_fork_in_child) != 0) return false;
  client::allow_bias();
  fork_watched = true;
  return true;
}

std::uint32_t fork_count() noexcept { return forks.load(std::memory_order_relaxed); }

Slot* slot_of(phx_ipc_handle value) noexcept {
  const std::uint64_t number = value & 0xffffffff;
  return number >= 1 && number <= kSlots ? &slots[number - 1] : nullptr;
}

phx_status look_up(const Slot& slot, phx_ipc_handle value, bool closing_too,
                   Handle*& handle) noexcept {
  const auto generation = static_cast<std::uint32_t>(value >> 32);
  if (slot.handle == nullptr || slot.generation != generation) [[unlikely]]
    return generation != 0 && slot.forked_generation == generation ? PHX_FORKED : PHX_BAD_HANDLE;
  if (slot.handle->closing.load(std::memory_order_relaxed) && !closing_too) [[unlikely]]
    return PHX_BAD_HANDLE;
  handle = slot.handle;
  return PHX_OK;
}

Reference::Reference(phx_ipc_handle value, bool closing_too) noexcept : slot_(slot_of(value)) {
  if (slot_ == nullptr) return;
  const client::BiasedGuard guard(slot_->send);
  status_ = look_up(*slot_, value, closing_too, handle_);
  if (status_ != PHX_OK) return;
  // One whose last reference went waits for our lock to be taken from its slot: it is not for us.
  std::uint32_t count = handle_->references.load(std::memory_order_relaxed);
  while (count != 0) {
    if (handle_->references.compare_exchange_weak(count, count + 1, std::memory_order_relaxed))
      return;
  }
  handle_ = nullptr;
  status_ = PHX_BAD_HANDLE;
}

void drop(Handle* handle) noexcept {
  if (handle->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(handle);
}

void end_connection(Handle& handle, phx_status why) noexcept {
  std::uint32_t fine = PHX_OK;
  handle.over.compare_exchange_strong(fine, why, std::memory_order_acq_rel);
}

phx_status may_send(const Handle& handle) noexcept {
  const auto over = static_cast<phx_status>(handle.over.load(std::memory_order_acquire));
  if (over != PHX_OK) [[unlikely]]
    return over;
  return handle.reserver != 0 && handle.reserver == this_thread() ? PHX_PINNED : PHX_OK;
}

phx_status reason_of(const Handle& handle) noexcept {
  const Page* page = handle.memory.page();
  switch (static_cast<State>(
      std::atomic_ref(const_cast<std::uint32_t&>(page->state)).load(std::memory_order_acquire))) {
    case State::Evicted:
      return PHX_EVICTED;
    case State::Broken:
      return PHX_BROKEN;
    case State::Open:
    case State::Disconnected:
      break;
  }
  return PHX_DISCONNECTED;
}

}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_connect(const char* name, std::uint32_t service, const phx_ipc_options* options,
                           phx_ipc_handle* out) {
  const phx_ipc_options defaults{.struct_bytes = sizeof(phx_ipc_options)};
  if (options == nullptr) options = &defaults;
  if (name == nullptr || out == nullptr || options->struct_bytes != sizeof(phx_ipc_options) ||
      static_cast<unsigned>(options->wait) > PHX_IPC_SLEEP) {
    return PHX_INVALID;
  }
  void* memory = nullptr;
  if (!watch_forks() || posix_memalign(&memory, alignof(Handle), sizeof(Handle)) != 0)
    return PHX_NO_MEMORY;
  auto* handle = new (memory) Handle;
  phx_status status = connect_handle(*handle, name, service, *options);
  if (status == PHX_OK) status = place(handle);
  if (status == PHX_OK) {
    *out = handle->value;
  } else {
    drop(handle);
  }
  return status;
}

phx_status phx_ipc_attachment(phx_ipc_handle value, int* fd) {
  if (fd == nullptr) return PHX_INVALID;
  const Reference reference(value);
  if (reference.status() != PHX_OK) return reference.status();
  const int taken = reference.handle().attachment.exchange(-1, std::memory_order_relaxed);
  if (taken < 0) return PHX_NOT_FOUND;
  *fd = taken;
  return PHX_OK;
}

phx_status phx_ipc_disconnect(phx_ipc_handle value) {
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  Handle* handle = nullptr;
  {
    const client::BiasedGuard guard(slot->send);
    const phx_status status = look_up(*slot, value, false, handle);
    if (status != PHX_OK) return status;
    handle->closing.store(true, std::memory_order_seq_cst);
    end_connection(*handle, PHX_BAD_HANDLE);
    // Wakes the threads that sleep on them; the server sees it when they are closed, or now.
    shutdown(handle->wake, SHUT_RD);
    shutdown(handle->socket, SHUT_RD);
  }
  drop(handle);
  return PHX_OK;
}
