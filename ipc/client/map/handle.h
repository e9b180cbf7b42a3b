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
#include "phalanx/ipc_client.h"

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
  phx_ipc_handle connection = 0;
  int socket = -1;  ///< The connection's, which closes it.
  int timeout_ms = 0;
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

  // The statistics that came last: which they are, and from where on they were not given away yet.
  std::byte items[shm::kMapMessageBytesMax];
  std::size_t items_bytes = 0;
  std::size_t items_at = 0;  ///< 0: all, and they are of no prefix.
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

/// Connects and maps the memory.
[[nodiscard]] phx_status connect_map(Map& map, const phx_map_options& options) noexcept;
/// A request, and the pieces that it is sent in.
class Question {
 public:
  Question(shm::MapCall call, shm::MapRequest head, std::string_view key = {},
           std::span<const std::byte> value = {}) noexcept;
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  [[nodiscard]] std::uint32_t id() const noexcept { return static_cast<std::uint32_t>(call_); }
  [[nodiscard]] const iovec* parts() const noexcept { return parts_; }
  static constexpr std::size_t kParts = 3;

 private:
  shm::MapCall call_;
  shm::MapRequest head_;
  iovec parts_[kParts];
};
/// One question, whose answer is copied to `answer`. PHX_OK, what the daemon refused it with, or
/// PHX_DISCONNECTED.
[[nodiscard]] phx_status ask(Map& map, const Question& question, std::span<std::byte> answer = {},
                             std::size_t* answer_bytes = nullptr) noexcept;
/// As ask(), and the answer stays in place until phx_ipc_reply_release().
[[nodiscard]] phx_status ask_in_place(Map& map, const Question& question, std::size_t bytes_max,
                                      phx_ipc_reply& answer) noexcept;
/// Asks to be woken once there is something behind the cursor.
void arm(Map& map) noexcept;
/// Takes wakes, and notices the end of the connection. Under the dispatch lock, too.
void take_wakes(Map& map) noexcept;
/// What became of a get: a wake, which is given back, or the end.
void note_wake(Map& map, phx_ipc_handle connection, phx_status got) noexcept;
/// At most once a millisecond: whether the daemon is still there.
[[nodiscard]] bool is_gone(Map& map) noexcept;

// read.cc

/// A key of either map. `bytes` and `type` are what it has, also when it did not fit.
[[nodiscard]] phx_status read_key(Map& map, const char* key, std::span<std::byte> out,
                                  std::size_t& bytes, phx_map_type& type) noexcept;

}  // namespace phalanx::client::map
