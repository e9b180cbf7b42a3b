#pragma once

#include <phalanx/map.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ipc/base/time_ns.h"
#include "ipc/client/lock.h"
#include "ipc/shm/map_protocol.h"
#include "ipc/shm/map_reader.h"

namespace phalanx::client::map {

struct Tracker {
  phx_map_tracker value = 0;  ///< 0: free. The low half is its number + 1.
  std::uint32_t events = 0;
  std::uint64_t after = 0;  ///< Sequence of the last change that does not concern it.
  std::size_t key_bytes = 0;
  char key[shm::kMapKeyBytesMax];
  phx_map_callback callback = nullptr;
  void* context = nullptr;
};

/// One open map. Guarded by its slot's `use` lock, but for what only a dispatch touches: `told`,
/// `value_bytes`, `old_bytes`, under the dispatch lock. Callbacks run under the dispatch lock
/// alone.
struct Map {
  phx_map value = 0;
  phx_map_kind kind = PHX_MAP_CONFIG;
  int socket = -1;
  const shm::MapLayout* memory = nullptr;
  shm::MapReader reader;
  bool gone = false;     ///< The daemon is, or no more can be believed of it.
  TimeNs last_look = 0;  ///< When the socket was last asked whether it is still there.

  Tracker trackers[shm::kMapTrackersMax];
  std::uint32_t tracker_count = 0;
  std::uint32_t next_serial = 1;
  shm::MapReader::Cursor cursor;  ///< Good while there are trackers.
  bool wants_wakes = false;       ///< phx_map_fd() was called.
  bool armed = false;             ///< A Wake is owed.

  alignas(8) std::byte packet[shm::kMapPacketBytesMax];  ///< The last answer.
  std::size_t packet_bytes = 0;
  // Which statistics `packet` holds, and how many of them were given away. 0: none.
  std::size_t items_at = 0;
  char items_prefix[shm::kMapKeyBytesMax + 1] = {};
  char items_key[shm::kMapKeyBytesMax + 1] = {};  ///< The one given away last.

  alignas(8) std::byte told[shm::kMapChangeBytesMax];
  alignas(8) std::byte value_bytes[shm::kMapValueBytesMax];
  alignas(8) std::byte old_bytes[shm::kMapValueBytesMax];
  std::atomic<bool> closing{false};
  bool closed_inside = false;  ///< By a callback: dispatch frees it on its way out.
};

/// The place of a map, in static memory for ever, so that a stale value finds its locks.
struct Slot {
  Lock use;
  Lock dispatch;
  std::atomic<std::uintptr_t> dispatcher{0};
  std::uint32_t generation = 0;  ///< Guarded by `use`.
  Map* map = nullptr;            ///< Guarded by `use`; nullptr: free.
};

/// nullptr: no such slot. Whether the generation is right is known under its lock only.
[[nodiscard]] Slot* slot_of(phx_map value) noexcept;
[[nodiscard]] Map* live(Slot& slot, phx_map value) noexcept;
void destroy(Map* map) noexcept;

/// Finds a map and holds its lock. False: PHX_BAD_HANDLE.
class Using {
 public:
  explicit Using(phx_map value) noexcept : slot_(slot_of(value)) {
    if (slot_ == nullptr) return;
    slot_->use.lock();
    map_ = live(*slot_, value);
  }
  ~Using() {
    if (slot_ != nullptr) slot_->use.unlock();
  }
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;

  explicit operator bool() const noexcept { return map_ != nullptr; }
  [[nodiscard]] Map& map() const noexcept { return *map_; }

 private:
  Slot* slot_;
  Map* map_ = nullptr;
};

// call.cc: talking with the daemon.

/// Connects, says Hello and maps the memory. Waits `timeout_ms` at most for each step.
[[nodiscard]] phx_status connect_map(Map& map, const phx_map_options& options) noexcept;
/// One question, one answer, which is then in map.packet. PHX_OK, what the daemon answered, or
/// PHX_DISCONNECTED.
[[nodiscard]] phx_status ask(Map& map, const shm::MapRequest& head, std::string_view key = {},
                             std::span<const std::byte> value = {}) noexcept;
/// The body of the last answer.
[[nodiscard]] std::span<const std::byte> answer_body(const Map& map) noexcept;
[[nodiscard]] shm::MapReply answer_head(const Map& map) noexcept;
/// Asks to be woken once there is something behind the cursor.
void arm(Map& map) noexcept;
/// Takes wakes from the socket, and notices its end.
void take_wakes(Map& map) noexcept;
/// At most once a millisecond: whether the daemon is still there.
[[nodiscard]] bool is_gone(Map& map) noexcept;
[[nodiscard]] phx_status status_of(shm::MapStatus status) noexcept;

// read.cc

/// A key of either map. `bytes` and `type` are what it has, also when it did not fit.
[[nodiscard]] phx_status read_key(Map& map, const char* key, std::span<std::byte> out,
                                  std::size_t& bytes, phx_map_type& type) noexcept;

}  // namespace phalanx::client::map
