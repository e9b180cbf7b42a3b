#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "ipc/include/phalanx/status.h"
#include "ipc/shm/map_layout.h"
#include "ipc/shm/map_value.h"

namespace phalanx::shm {

/// What a client and the control plane say through the rings of `map.sock` (ipc/call, host order).
/// The attachment of a connection is the map's memory: keys and changes are read there. Each
/// MapCall is a call with one reply, or is refused with a phx_status, but Arm, which is a post. A
/// Wake event comes once for an Arm.

/// Another version is another service, so that each side is told by connecting.
inline constexpr std::uint32_t kMapService = 0x6d61'7000 | kMapVersion;  // "map", version.
/// With the header of its record it just fits a bulk ring of 32 KiB.
inline constexpr std::size_t kMapMessageBytesMax = 32 * 1024 - 64;
inline constexpr std::size_t kMapRingBytes = 4096;
/// Also the number of trackers.
inline constexpr std::uint32_t kMapTrackersMax = 64;

enum class MapCall : std::uint32_t {
  Set = 0,    ///< key, value, type.
  Delete,     ///< key.
  Add,        ///< key, delta.
  Track,      ///< key or prefix, number, events: wake for it.
  Untrack,    ///< number.
  Arm,        ///< position: Wake once there is something behind it.
  StatsGet,   ///< key. The reply: a MapValueHead, the value.
  StatsNext,  ///< key: the prefix; value: the key to go on behind, or nothing. The reply: items.
};
inline constexpr std::uint32_t kMapCalls = 8;

inline constexpr std::uint32_t kMapWakeEvent = 1;

/// Then the key, and the value up to the end.
struct MapRequest {
  std::uint32_t type = 0;    ///< MapType; of Track: bits of MapEvent, kMapTrackPrefix.
  std::uint32_t number = 0;  ///< Of a tracker, below kMapTrackersMax.
  std::int64_t delta = 0;
  std::uint64_t position = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(MapRequest) == 32);
static_assert(sizeof(MapRequest) + kMapKeyBytesMax + kMapValueBytesMax <= kMapMessageBytesMax);

inline constexpr std::uint32_t kMapTrackPrefix = 8;
inline constexpr std::uint32_t kMapTrackBits = 15;

struct MapValueHead {
  std::uint32_t type;
  std::uint32_t reserved;
};
static_assert(sizeof(MapValueHead) == 8);

/// An item of StatsNext: this, the key, the value. No padding.
struct MapItem {
  std::uint32_t value_bytes;
  std::uint16_t key_bytes;
  std::uint16_t type;
};
static_assert(sizeof(MapItem) == 8);

/// A request whose lengths are right. Nothing else in it was checked.
struct MapRequestParts {
  MapRequest head;
  std::string_view key;
  std::span<const std::byte> value;
};

/// Empty: no library sends that.
[[nodiscard]] inline std::optional<MapRequestParts> read_map_request(
    std::span<const std::byte> bytes) noexcept {
  MapRequestParts parts;
  if (bytes.size() < sizeof parts.head || bytes.size() > kMapMessageBytesMax) return std::nullopt;
  std::memcpy(&parts.head, bytes.data(), sizeof parts.head);
  bytes = bytes.subspan(sizeof parts.head);
  if (parts.head.key_bytes > bytes.size()) return std::nullopt;
  parts.key = {reinterpret_cast<const char*>(bytes.data()), parts.head.key_bytes};
  parts.value = bytes.subspan(parts.head.key_bytes);
  return parts;
}

/// What the client's caller is told.
[[nodiscard]] constexpr phx_status status_of(MapStatus status) noexcept {
  switch (status) {
    case MapStatus::Ok:
      return PHX_OK;
    case MapStatus::NotFound:
      return PHX_NOT_FOUND;
    case MapStatus::WrongType:
      return PHX_WRONG_TYPE;
    case MapStatus::WrongSize:
      return PHX_WRONG_SIZE;
    case MapStatus::TooBig:
      return PHX_TOO_BIG;
    case MapStatus::BadName:
      return PHX_BAD_NAME;
    case MapStatus::NameTooLong:
      return PHX_NAME_TOO_LONG;
    case MapStatus::ReadOnly:
      return PHX_READ_ONLY;
    case MapStatus::Access:
      return PHX_ACCESS;
    case MapStatus::Overflow:
      return PHX_OVERFLOW;
    case MapStatus::Full:
      return PHX_FULL;
    case MapStatus::Limit:
      return PHX_LIMIT;
    case MapStatus::Exists:
      return PHX_EXISTS;
    case MapStatus::Malformed:
      break;
  }
  return PHX_VERSION;
}

}  // namespace phalanx::shm
