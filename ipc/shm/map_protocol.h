#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "ipc/shm/map_layout.h"
#include "ipc/shm/map_value.h"

namespace phalanx::shm {

/// What a client and the control plane say on `map.sock` (SOCK_SEQPACKET, host order). The client
/// says Hello first and gets the map's memory with the reply; keys and changes it then reads there.
/// Every request but Arm has one reply. Wake comes unasked, once for an Arm.

inline constexpr std::uint64_t kMapProtocolMagic = 0x3174'656b'6361'7068;
inline constexpr std::size_t kMapPacketBytesMax = 64 * 1024;
/// Also the number of trackers.
inline constexpr std::uint32_t kMapTrackersMax = 64;

enum class MapRequestKind : std::uint32_t {
  Hello = 1,
  Set,        ///< key, value, type.
  Delete,     ///< key.
  Add,        ///< key, delta.
  Track,      ///< key or prefix, number, events: wake for it.
  Untrack,    ///< number.
  Arm,        ///< position: Wake once there is something behind it.
  StatsGet,   ///< key.
  StatsNext,  ///< key: the prefix; value: the key to go on behind, or nothing.
};

/// Then the key and the value.
struct MapRequest {
  std::uint64_t magic = kMapProtocolMagic;
  std::uint32_t version = kMapVersion;
  MapRequestKind kind = MapRequestKind::Hello;
  std::uint32_t type = 0;    ///< MapType; of Track: bits of MapEvent, kMapTrackPrefix.
  std::uint32_t number = 0;  ///< Of a tracker, below kMapTrackersMax.
  std::int64_t delta = 0;
  std::uint64_t position = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
};
static_assert(sizeof(MapRequest) == 48);

inline constexpr std::uint32_t kMapTrackPrefix = 8;
inline constexpr std::uint32_t kMapTrackBits = 15;

enum class MapReplyKind : std::uint32_t { Answer = 1, Wake = 2 };

/// Then `bytes` of the value; of StatsNext: items, one after the other.
struct MapReply {
  std::uint64_t magic = kMapProtocolMagic;
  std::uint32_t version = kMapVersion;
  MapReplyKind kind = MapReplyKind::Answer;
  MapStatus status = MapStatus::Ok;
  std::uint32_t type = 0;
  std::uint32_t bytes = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(MapReply) == 32);

/// An item of StatsNext: this, the key, the value. No padding.
struct MapItem {
  std::uint32_t value_bytes;
  std::uint16_t key_bytes;
  std::uint16_t type;
};
static_assert(sizeof(MapItem) == 8);

/// A request whose lengths are right. Nothing else in it was checked but magic and size.
struct MapRequestParts {
  MapRequest head;
  std::string_view key;
  std::span<const std::byte> value;
};

/// Empty: no library sends that. Of another version only the head is read.
[[nodiscard]] inline std::optional<MapRequestParts> read_map_request(
    std::span<const std::byte> packet) noexcept {
  MapRequestParts parts;
  if (packet.size() < sizeof parts.head || packet.size() > kMapPacketBytesMax) return std::nullopt;
  std::memcpy(&parts.head, packet.data(), sizeof parts.head);
  if (parts.head.magic != kMapProtocolMagic) return std::nullopt;
  if (parts.head.version != kMapVersion) return parts;
  packet = packet.subspan(sizeof parts.head);
  if (std::uint64_t{parts.head.key_bytes} + parts.head.value_bytes != packet.size()) {
    return std::nullopt;
  }
  parts.key = {reinterpret_cast<const char*>(packet.data()), parts.head.key_bytes};
  parts.value = packet.subspan(parts.head.key_bytes);
  return parts;
}

}  // namespace phalanx::shm
