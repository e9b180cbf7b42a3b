#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ipc/shm/map_layout.h"

namespace phalanx::shm {

/// What became of a request to a map. The client library has a phx_status for each.
enum class MapStatus : std::uint32_t {
  Ok,
  NotFound,
  WrongType,    ///< Not a number of the twelve; or inc and dec of what is no integer.
  WrongSize,    ///< The bytes do not fit the type.
  TooBig,       ///< Value over kMapValueBytesMax.
  BadName,      ///< Shorter than kMapKeyBytesMin, or with a character that no key has.
  NameTooLong,  ///< Over kMapKeyBytesMax.
  ReadOnly,     ///< Of the daemon's own.
  Access,       ///< Another user's key; or this user may not use the map at all.
  Overflow,     ///< inc or dec would leave the type's range.
  Full,         ///< kMapKeysMax or kMapBytesMax.
  Limit,        ///< This user's share of keys or bytes, this client's trackers, or all clients.
  Exists,       ///< A tracker of that number.
  Malformed,    ///< What no library sends: the daemon cuts the client off.
};

/// Letters, digits and . _ - / : make a key.
[[nodiscard]] MapStatus check_map_key(std::string_view key) noexcept;

/// Whether `value` can be one of that type.
[[nodiscard]] MapStatus check_map_value(MapType type, std::span<const std::byte> value) noexcept;

/// Bytes of a number of that type; 0 for strings, binaries and what is no type.
[[nodiscard]] std::size_t map_type_bytes(MapType type) noexcept;

[[nodiscard]] bool is_map_integer(MapType type) noexcept;

/// Adds `delta` to the integer in `value`. False: out of the type's range, nothing was changed.
[[nodiscard]] bool add_to_map_integer(MapType type, std::span<std::byte> value,
                                      std::int64_t delta) noexcept;

}  // namespace phalanx::shm
