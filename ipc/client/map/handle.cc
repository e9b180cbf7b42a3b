#include "ipc/client/map/handle.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <utility>

namespace phalanx::client::map {
namespace {

constexpr std::size_t kSlots = 1024;

Slot slots[kSlots];
Lock slots_lock;  ///< Held to take a free slot.
bool fork_watched = false;

/// A child of fork() has nothing of the mapping, and ipc/call closes its copy of the descriptors.
/// It forgets all maps; their memory stays: nothing here may call free().
void after_fork_in_child() {
  slots_lock.reset();
  for (Slot& slot : slots) {
    slot.use.reset();
    slot.dispatch.reset();
    slot.dispatcher.store(0, std::memory_order_relaxed);
    if (slot.map == nullptr) continue;
    slot.map = nullptr;
    ++slot.generation;
  }
}

phx_status place(Map* map, phx_map* out) noexcept {
  const LockGuard guard(slots_lock);
  for (std::size_t i = 0; i < kSlots; ++i) {
    const LockGuard slot_guard(slots[i].use);
    if (slots[i].map != nullptr) continue;
    slots[i].map = map;
    if (slots[i].generation == 0) slots[i].generation = 1;
    map->value = static_cast<phx_map>(slots[i].generation) << 32 | (i + 1);
    *out = map->value;
    return PHX_OK;
  }
  return PHX_LIMIT;
}

bool watch_forks() noexcept {
  const LockGuard guard(slots_lock);
  if (!fork_watched && pthread_atfork(nullptr, nullptr, after_fork_in_child) != 0) return false;
  fork_watched = true;
  return true;
}

}  // namespace

Slot* slot_of(phx_map value) noexcept {
  const std::uint64_t number = value & 0xffffffff;
  return number >= 1 && number <= kSlots ? &slots[number - 1] : nullptr;
}

Map* live(Slot& slot, phx_map value) noexcept {
  return slot.map != nullptr && slot.generation == value >> 32 ? slot.map : nullptr;
}

void destroy(Map* map) noexcept {
  if (map->connection != 0) (void)phx_ipc_disconnect(map->connection);
  if (map->memory != nullptr) {
    munmap(const_cast<shm::MapLayout*>(map->memory), sizeof *map->memory);
  }
  map->~Map();
  std::free(map);
}

}  // namespace phalanx::client::map

using namespace phalanx::client;
namespace map_impl = phalanx::client::map;

phx_status phx_map_open(const phx_map_options* options, phx_map* out) {
  const phx_map_options defaults{.struct_bytes = sizeof(phx_map_options)};
  if (options == nullptr) options = &defaults;
  if (out == nullptr || options->struct_bytes != sizeof(phx_map_options)) return PHX_INVALID;
  if (options->kind != PHX_MAP_CONFIG && options->kind != PHX_MAP_STATS) return PHX_INVALID;
  if (!map_impl::watch_forks()) return PHX_NO_MEMORY;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignof(map_impl::Map), sizeof(map_impl::Map)) != 0) {
    return PHX_NO_MEMORY;
  }
  auto* map = new (memory) map_impl::Map;
  map->kind = options->kind;
  phx_status status = map_impl::connect_map(*map, *options);
  if (status == PHX_OK) status = map_impl::place(map, out);
  if (status != PHX_OK) map_impl::destroy(map);
  return status;
}

phx_status phx_map_close(phx_map value) {
  map_impl::Slot* slot = map_impl::slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  map_impl::Map* map = nullptr;
  {
    const LockGuard guard(slot->use);
    map = map_impl::live(*slot, value);
    if (map == nullptr) return PHX_BAD_HANDLE;
    ++slot->generation;  // From here on every other call with this value is told so.
    map->closing.store(true, std::memory_order_relaxed);
    if (slot->dispatcher.load(std::memory_order_relaxed) ==
        static_cast<std::uintptr_t>(pthread_self())) {
      map->closed_inside = true;
      return PHX_OK;
    }
    // Wakes a thread that waits in dispatch.
    (void)phx_ipc_disconnect(std::exchange(map->connection, 0));
  }
  {
    const LockGuard dispatch_guard(slot->dispatch);
    const LockGuard guard(slot->use);
    slot->map = nullptr;
  }
  map_impl::destroy(map);
  return PHX_OK;
}
