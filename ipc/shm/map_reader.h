#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ipc/shm/map_layout.h"

namespace phalanx::shm {

/// Reads keys and changes from the map's memory while its writer goes on. Trusts no offset or
/// length in it, so that rubbish is noticed and never followed. Needs libc only. Any thread.
class MapReader {
 public:
  MapReader() = default;
  explicit MapReader(const MapLayout* memory) noexcept : memory_(memory) {}

  /// A key as it was at one moment.
  struct Found {
    char key[kMapKeyBytesMax + 1];
    std::size_t key_bytes = 0;
    std::size_t value_bytes = 0;  ///< Also when the caller's buffer was too small for them.
    MapType type = MapType::None;
    bool read_only = false;
    std::uint32_t owner = 0;
  };
  enum class Result : std::uint8_t {
    Found,
    None,
    Torn,  ///< The writer did not come to an end: it is dead or stopped.
  };

  /// Copies what fits of the value to `out`.
  [[nodiscard]] Result find(std::string_view key, Found& found,
                            std::span<std::byte> out) const noexcept;
  /// The first key behind `after` (or, with "", the first of all) that begins with `prefix`.
  [[nodiscard]] Result next(std::string_view prefix, std::string_view after, Found& found,
                            std::span<std::byte> out) const noexcept;

  /// Where a reader of changes stands.
  struct Cursor {
    std::uint64_t position = 0;
    std::uint64_t sequence = 0;  ///< Of the last change before it.
  };
  /// Behind the last change. False: torn.
  [[nodiscard]] bool end(Cursor& cursor) const noexcept;

  enum class Change : std::uint8_t {
    None,
    Taken,
    Lost,  ///< Written over before it was read: the cursor must go to end().
  };
  /// Copies the change at the cursor to `out` (kMapChangeBytesMax bytes) and goes on.
  [[nodiscard]] Change take(Cursor& cursor, std::span<std::byte> out) const noexcept;

  [[nodiscard]] bool is_behind(const Cursor& cursor) const noexcept;
  [[nodiscard]] explicit operator bool() const noexcept { return memory_ != nullptr; }

 private:
  struct At;
  [[nodiscard]] bool entry_at(std::uint32_t place, At& at) const noexcept;
  /// The place of the first key that is not less than `key` (`behind`: greater).
  [[nodiscard]] bool lower_bound(std::string_view key, bool behind, std::uint32_t count,
                                 std::uint32_t& place) const noexcept;
  template <class Look>
  [[nodiscard]] Result consistently(const Look& look) const noexcept;

  const MapLayout* memory_ = nullptr;
};

/// The parts of a change that take() copied.
struct MapChangeParts {
  MapChange change;
  std::string_view key;
  std::span<const std::byte> value;
  std::span<const std::byte> old_value;
};
/// False: its lengths contradict one another.
[[nodiscard]] bool read_map_change(std::span<const std::byte> bytes,
                                   MapChangeParts& parts) noexcept;

}  // namespace phalanx::shm
