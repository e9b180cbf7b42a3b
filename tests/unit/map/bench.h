#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/map/store.h"

namespace phalanx::map {

inline constexpr Writer kAdmin{.uid = 0, .admin = true};
inline constexpr Writer kAnna{.uid = 1001, .admin = false};
inline constexpr Writer kBert{.uid = 1002, .admin = false};

template <class T>
std::vector<std::byte> bytes_of(T number) {
  std::vector<std::byte> out(sizeof number);
  std::memcpy(out.data(), &number, sizeof number);
  return out;
}

/// With its zero byte, as strings are kept.
inline std::vector<std::byte> text_bytes(std::string_view text) {
  std::vector<std::byte> out(text.size() + 1);
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

/// What a tracker would be told.
struct Seen {
  shm::MapEvent event{};
  std::string key;
  MapType type{};
  MapType old_type{};
  std::vector<std::byte> value;
  std::vector<std::byte> old_value;
  std::uint64_t sequence = 0;
};

/// A store over memory of its own, and readers of it.
struct Bench {
  std::unique_ptr<shm::MapLayout> memory = std::make_unique<shm::MapLayout>();
  Store store{*memory};
  shm::MapReader::Cursor cursor;

  MapStatus set_u64(std::string_view key, std::uint64_t value, const Writer& who = kAdmin) {
    return store.set(key, MapType::U64, bytes_of(value), who);
  }
  MapStatus set_text(std::string_view key, std::string_view text, const Writer& who = kAdmin) {
    return store.set(key, MapType::String, text_bytes(text), who);
  }

  /// The value of a key through shared memory; empty: there is none.
  [[nodiscard]] std::optional<std::vector<std::byte>> value(std::string_view key) const {
    shm::MapReader::Found found;
    std::vector<std::byte> out(shm::kMapValueBytesMax);
    if (store.reader().find(key, found, out) != shm::MapReader::Result::Found) return {};
    out.resize(found.value_bytes);
    return out;
  }

  /// All keys in order, through shared memory.
  [[nodiscard]] std::vector<std::string> keys(std::string_view prefix = "") const {
    std::vector<std::string> all;
    shm::MapReader::Found found{};
    while (store.reader().next(prefix, all.empty() ? "" : all.back(), found, {}) ==
           shm::MapReader::Result::Found) {
      all.emplace_back(found.key, found.key_bytes);
    }
    return all;
  }

  shm::MapReader::Change take(Seen& seen) {
    std::vector<std::byte> bytes(shm::kMapChangeBytesMax);
    const auto result = store.reader().take(cursor, bytes);
    shm::MapChangeParts parts;
    if (result != shm::MapReader::Change::Taken || !shm::read_map_change(bytes, parts)) {
      return result;
    }
    seen = {.event = parts.change.event,
            .key = std::string(parts.key),
            .type = parts.change.type,
            .old_type = parts.change.old_type,
            .value = {parts.value.begin(), parts.value.end()},
            .old_value = {parts.old_value.begin(), parts.old_value.end()},
            .sequence = parts.change.sequence};
    return result;
  }
};

}  // namespace phalanx::map
