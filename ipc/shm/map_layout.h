#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace phalanx::shm {

/// The memory in which the control plane keeps the configuration map. It alone writes; clients map
/// it read-only (a memfd sealed against other writers) and read keys and changes without asking.
/// Fixed-width plain data, host order.
inline constexpr std::uint64_t kMapMagic = 0x3170'616d'7868'70;  // "phxmap1"
inline constexpr std::uint32_t kMapVersion = 1;

inline constexpr std::size_t kMapKeyBytesMin = 3;
inline constexpr std::size_t kMapKeyBytesMax = 255;
inline constexpr std::size_t kMapValueBytesMax = 16 * 1024;
inline constexpr std::uint32_t kMapKeysMax = 16 * 1024;
/// What all entries together may take: less than a half, so that tidying up is rarely due.
inline constexpr std::uint32_t kMapBytesMax = 3 << 20;
inline constexpr std::uint32_t kMapHalfBytes = 4 << 20;
inline constexpr std::uint32_t kMapLogBytes = 2 << 20;

/// The numbers are those of Corosync's cmap.
enum class MapType : std::uint8_t {
  None = 0,
  I8 = 1,
  U8 = 2,
  I16 = 3,
  U16 = 4,
  I32 = 5,
  U32 = 6,
  I64 = 7,
  U64 = 8,
  Float = 9,
  Double = 10,
  String = 11,  ///< Ends with its only zero byte.
  Binary = 12,
};

/// Bits, so that a tracker can name several.
enum class MapEvent : std::uint8_t { Skip = 0, Delete = 1, Modify = 2, Add = 4 };

/// One key: this, the key, the value. `room` is what it takes in the heap, a multiple of 8.
struct MapEntry {
  std::uint32_t room;
  std::uint32_t value_bytes;
  std::uint32_t owner;  ///< The uid that made it.
  std::uint16_t key_bytes;
  MapType type;
  std::uint8_t read_only;
};

/// One change in the log: this, the key, the new value, the old value, padding to 8. Skip: the
/// rest of the ring is unused, the next record is at its beginning.
struct MapChange {
  std::uint32_t bytes;  ///< All of it.
  MapEvent event;
  MapType type;      ///< Of the new value; None after a Delete.
  MapType old_type;  ///< None before an Add.
  std::uint8_t reserved;
  std::uint64_t sequence;  ///< 1, 2, 3 ...
  std::uint32_t value_bytes;
  std::uint32_t old_bytes;
  std::uint64_t key_bytes;
};
inline constexpr std::size_t kMapChangeBytesMax =
    (sizeof(MapChange) + kMapKeyBytesMax + 2 * kMapValueBytesMax + 7) / 8 * 8;

struct MapLayout {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t pid;
  std::uint64_t size;

  alignas(64) std::uint64_t round;  ///< Odd while index, heap or the two numbers below change.
  std::uint64_t changes;            ///< Sequence of the last change.
  std::uint64_t change_end;         ///< log_head as of that change.
  std::uint32_t count;              ///< Keys.

  alignas(64) std::uint64_t log_floor;  ///< Below this the log is being written over.
  std::uint64_t log_head;               ///< Up to here it is written. Both run on for ever.

  alignas(64) std::uint32_t index[kMapKeysMax];  ///< Where in `heap`; sorted by key.
  alignas(64) std::byte heap[2 * std::size_t{kMapHalfBytes}];
  alignas(64) std::byte log[kMapLogBytes];
};

static_assert(std::is_standard_layout_v<MapLayout> && std::is_trivially_copyable_v<MapLayout>);
static_assert(sizeof(MapEntry) == 16 && sizeof(MapChange) == 32);
static_assert(offsetof(MapLayout, round) == 64 && offsetof(MapLayout, log_floor) == 128 &&
              offsetof(MapLayout, index) == 192);
static_assert(kMapLogBytes % 8 == 0 && kMapChangeBytesMax * 8 < kMapLogBytes);
static_assert(kMapBytesMax + 2 * kMapValueBytesMax < kMapHalfBytes);

}  // namespace phalanx::shm
