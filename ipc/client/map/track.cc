#include <cstring>

#include "ipc/client/map/handle.h"

namespace phalanx::client::map {
namespace {

constexpr std::uint32_t kEvents = PHX_MAP_ADD | PHX_MAP_MODIFY | PHX_MAP_DELETE;
static_assert((kEvents | PHX_MAP_PREFIX) == shm::kMapTrackBits &&
              PHX_MAP_PREFIX == shm::kMapTrackPrefix);
static_assert(PHX_MAP_TRACKERS_MAX == shm::kMapTrackersMax);

Tracker* free_tracker(Map& map, std::uint32_t& number) noexcept {
  for (number = 0; number < shm::kMapTrackersMax; ++number) {
    if (map.trackers[number].value == 0) return &map.trackers[number];
  }
  return nullptr;
}

phx_status add(Map& map, Tracker tracker, phx_map_tracker* out) noexcept {
  std::uint32_t number = 0;
  Tracker* place = free_tracker(map, number);
  if (place == nullptr) return PHX_LIMIT;
  const phx_status status = ask(map, {shm::MapCall::Track,
                                      {.type = tracker.events, .number = number},
                                      {tracker.key, tracker.key_bytes}});
  if (status != PHX_OK) return status;
  shm::MapReader::Cursor now;
  if (!map.reader.end(now)) {
    map.gone = true;
    return PHX_DISCONNECTED;
  }
  // From here on. With others there, the cursor may be further back, for them.
  if (map.tracker_count++ == 0) map.cursor = now;
  tracker.after = now.sequence;
  tracker.value = static_cast<phx_map_tracker>(map.next_serial++) << 32 | (number + 1);
  *place = tracker;
  if (out != nullptr) *out = tracker.value;
  return PHX_OK;
}

}  // namespace
}  // namespace phalanx::client::map

using namespace phalanx;
using namespace phalanx::client::map;

phx_status phx_map_track_add(phx_map map, const char* key, uint32_t events,
                             phx_map_callback callback, void* context, phx_map_tracker* out) {
  const bool prefix = (events & PHX_MAP_PREFIX) != 0;
  if (callback == nullptr || (events & ~shm::kMapTrackBits) != 0 || (events & kEvents) == 0 ||
      (key == nullptr && !prefix)) {
    return PHX_INVALID;
  }
  const Using use(map);
  if (!use) return PHX_BAD_HANDLE;
  if (use.map().kind == PHX_MAP_STATS) return PHX_NOT_SUPPORTED;
  if (key == nullptr) key = "";
  Tracker tracker;
  tracker.events = events;
  tracker.key_bytes = strnlen(key, shm::kMapKeyBytesMax + 1);
  tracker.callback = callback;
  tracker.context = context;
  const std::string_view name(key, tracker.key_bytes);
  const phx_status status = shm::status_of(shm::check_map_key(name));
  // A prefix may be short; one with a character that no key has is a mistake all the same.
  const bool short_prefix = prefix && name.size() < shm::kMapKeyBytesMin;
  if (status != PHX_OK && !short_prefix) return status;
  std::memcpy(tracker.key, key, tracker.key_bytes);
  return add(use.map(), tracker, out);
}

phx_status phx_map_track_delete(phx_map map, phx_map_tracker tracker) {
  const Using use(map);
  if (!use) return PHX_BAD_HANDLE;
  const std::uint32_t number = static_cast<std::uint32_t>(tracker) - 1;
  if (tracker == 0 || number >= shm::kMapTrackersMax ||
      use.map().trackers[number].value != tracker) {
    return PHX_NOT_FOUND;
  }
  use.map().trackers[number].value = 0;
  --use.map().tracker_count;
  return ask(use.map(), {shm::MapCall::Untrack, {.number = number}});
}
