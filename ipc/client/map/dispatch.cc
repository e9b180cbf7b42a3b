#include <pthread.h>

#include <cstring>

#include "ipc/client/map/handle.h"

namespace phalanx::client::map {
namespace {

/// An end to PHX_DISPATCH_ALL, should the writers be as quick as this reader.
constexpr int kChangesPerCall = 16 * 1024;

enum class Step : std::uint8_t { Told, Nothing, Gone, Closed };

/// What is to be told, and to whom of the trackers, a bit each.
struct Telling {
  phx_map_event event{};
  std::uint64_t sequence = 0;
  std::uint64_t trackers = 0;
};

bool concerns(const Tracker& tracker, const shm::MapChangeParts& parts) noexcept {
  const std::string_view key(tracker.key, tracker.key_bytes);
  if (tracker.value == 0 || parts.change.sequence <= tracker.after ||
      (tracker.events & static_cast<std::uint32_t>(parts.change.event)) == 0) {
    return false;
  }
  if ((tracker.events & PHX_MAP_PREFIX) == 0) return parts.key == key;
  return parts.key.size() >= key.size() &&
         (key.empty() || std::memcmp(parts.key.data(), key.data(), key.size()) == 0);
}

phx_map_value value_of(shm::MapType type, std::span<const std::byte> value,
                       std::byte* aligned) noexcept {
  if (type == shm::MapType::None) return {};
  if (!value.empty()) std::memcpy(aligned, value.data(), value.size());
  return {static_cast<phx_map_type>(type), value.size(), aligned};
}

/// Reads on to the next change that concerns a tracker. False: there is none, or the daemon's
/// memory makes no sense, and then map.gone.
bool next_change(Map& map, Telling& telling, char* key) noexcept {
  for (;;) {
    const std::uint64_t before = map.cursor.sequence;
    const auto taken = map.reader.take(map.cursor, map.told);
    if (taken == shm::MapReader::Change::None) return false;
    if (taken == shm::MapReader::Change::Lost) {
      if (!map.reader.end(map.cursor)) {
        map.gone = true;
        return false;
      }
      telling.event = {.event = PHX_MAP_LOST, .key = key, .lost = map.cursor.sequence - before};
      key[0] = '\0';
      telling.sequence = map.cursor.sequence;
      for (std::uint32_t i = 0; i < shm::kMapTrackersMax; ++i) {
        if (map.trackers[i].value != 0 && map.trackers[i].after < map.cursor.sequence) {
          telling.trackers |= std::uint64_t{1} << i;
        }
      }
      if (telling.trackers != 0) return true;
      continue;
    }
    shm::MapChangeParts parts;
    if (!shm::read_map_change(map.told, parts)) {
      map.gone = true;
      return false;
    }
    for (std::uint32_t i = 0; i < shm::kMapTrackersMax; ++i) {
      if (concerns(map.trackers[i], parts)) telling.trackers |= std::uint64_t{1} << i;
    }
    if (telling.trackers == 0) continue;
    std::memcpy(key, parts.key.data(), parts.key.size());
    key[parts.key.size()] = '\0';
    telling.sequence = parts.change.sequence;
    telling.event = {.event = static_cast<std::uint32_t>(parts.change.event),
                     .key = key,
                     .value = value_of(parts.change.type, parts.value, map.value_bytes),
                     .old_value = value_of(parts.change.old_type, parts.old_value, map.old_bytes)};
    return true;
  }
}

/// Tells one tracker, unless it was deleted meanwhile, or is another one by now.
void tell(Slot& slot, Map& map, std::uint32_t number, Telling& telling) noexcept {
  phx_map_callback callback = nullptr;
  void* context = nullptr;
  {
    const LockGuard guard(slot.use);
    const Tracker& tracker = map.trackers[number];
    if (tracker.value == 0 || tracker.after >= telling.sequence) return;
    callback = tracker.callback;
    context = tracker.context;
    telling.event.tracker = tracker.value;
  }
  callback(context, map.value, &telling.event);
}

Step dispatch_one(Slot& slot, Map& map) noexcept {
  Telling telling;
  char key[shm::kMapKeyBytesMax + 1];
  {
    const LockGuard guard(slot.use);
    if (map.closing.load(std::memory_order_relaxed)) return Step::Closed;
    const bool any = map.tracker_count != 0 && next_change(map, telling, key);
    if (!any) return map.gone ? Step::Gone : Step::Nothing;
  }
  for (std::uint32_t i = 0; i < shm::kMapTrackersMax; ++i) {
    if ((telling.trackers >> i & 1) == 0) continue;
    if (map.closing.load(std::memory_order_relaxed)) return Step::Closed;
    tell(slot, map, i, telling);
  }
  return Step::Told;
}

/// Sleeps until there may be something. False: the time is up.
bool wait(Slot& slot, Map& map, TimeNs deadline) noexcept {
  const TimeNs now = monotonic_now();
  if (now >= deadline) return false;
  phx_ipc_handle connection = 0;
  {
    const LockGuard guard(slot.use);
    arm(map);
    if (map.gone) return true;
    connection = map.connection;
  }
  constexpr TimeNs kWaitMax = 60 * kSecond;
  const TimeNs left = deadline - now < kWaitMax ? deadline - now : kWaitMax;
  phx_ipc_event event;
  const phx_status got =
      phx_ipc_get(connection, &event, static_cast<int>((left + kMillisecond - 1) / kMillisecond));
  const LockGuard guard(slot.use);
  note_wake(map, connection, got);
  return true;
}

phx_status dispatch(Slot& slot, Map& map, phx_dispatch_mode mode, TimeNs deadline) noexcept {
  {
    const LockGuard guard(slot.use);
    take_wakes(map);
  }
  int told = 0;
  for (;;) {
    const Step step = dispatch_one(slot, map);
    if (map.closing.load(std::memory_order_relaxed)) return PHX_BAD_HANDLE;
    if (step == Step::Told) {
      ++told;
      if (mode == PHX_DISPATCH_ONE || (mode == PHX_DISPATCH_ALL && told >= kChangesPerCall)) break;
      if (mode == PHX_DISPATCH_FOREVER && monotonic_now() >= deadline) break;
      continue;
    }
    if (step == Step::Gone) return told != 0 ? PHX_OK : PHX_DISCONNECTED;
    if (told != 0 && mode != PHX_DISPATCH_FOREVER) break;
    if (!wait(slot, map, deadline)) break;
  }
  const LockGuard guard(slot.use);
  if (map.wants_wakes) arm(map);
  return told != 0 ? PHX_OK : PHX_TRY_AGAIN;
}

}  // namespace
}  // namespace phalanx::client::map

using namespace phalanx;
using namespace phalanx::client;
using namespace phalanx::client::map;

phx_status phx_map_dispatch(phx_map value, phx_dispatch_mode mode, int timeout_ms) {
  if (mode != PHX_DISPATCH_ONE && mode != PHX_DISPATCH_ALL && mode != PHX_DISPATCH_FOREVER) {
    return PHX_INVALID;
  }
  Slot* slot = slot_of(value);
  if (slot == nullptr) return PHX_BAD_HANDLE;
  const auto self = static_cast<std::uintptr_t>(pthread_self());
  if (slot->dispatcher.load(std::memory_order_relaxed) == self) return PHX_INVALID;
  Map* map = nullptr;
  phx_status status = PHX_BAD_HANDLE;
  {
    const LockGuard dispatching(slot->dispatch);
    {
      const LockGuard guard(slot->use);
      map = live(*slot, value);
      if (map == nullptr) return PHX_BAD_HANDLE;
      slot->dispatcher.store(self, std::memory_order_relaxed);
    }
    const TimeNs deadline =
        timeout_ms < 0 ? kNever : monotonic_now() + static_cast<TimeNs>(timeout_ms) * kMillisecond;
    status = dispatch(*slot, *map, mode, deadline);
    const LockGuard guard(slot->use);
    slot->dispatcher.store(0, std::memory_order_relaxed);
    if (!map->closed_inside) return status;
    slot->map = nullptr;
  }
  destroy(map);
  return status;
}

phx_status phx_map_fd(phx_map value, int* fd) {
  if (fd == nullptr) return PHX_INVALID;
  const Using use(value);
  if (!use) return PHX_BAD_HANDLE;
  use.map().wants_wakes = true;
  arm(use.map());
  *fd = use.map().socket;
  return PHX_OK;
}
