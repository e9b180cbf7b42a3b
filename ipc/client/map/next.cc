#include <algorithm>
#include <cstring>

#include "ipc/client/map/handle.h"

namespace phalanx::client::map {
namespace {

/// Where the caller wants the next key and its value.
struct Wanted {
  std::string_view prefix;
  char* key;
  std::span<std::byte> out;
  std::size_t bytes = 0;
  phx_map_type type = PHX_MAP_BINARY;
};

phx_status next_config(Map& map, Wanted& wanted) noexcept {
  shm::MapReader::Found found;
  switch (is_gone(map) ? shm::MapReader::Result::Torn
                       : map.reader.next(wanted.prefix, wanted.key, found, wanted.out)) {
    case shm::MapReader::Result::Found:
      std::memcpy(wanted.key, found.key, found.key_bytes + 1);
      wanted.bytes = found.value_bytes;
      wanted.type = static_cast<phx_map_type>(found.type);
      return PHX_OK;
    case shm::MapReader::Result::None:
      return PHX_NOT_FOUND;
    case shm::MapReader::Result::Torn:
      break;
  }
  map.gone = true;
  return PHX_DISCONNECTED;
}

/// Takes one of the statistics that came with the last answer. False: there is no further one, or
/// what is there cannot be.
bool take_item(Map& map, Wanted& wanted) noexcept {
  const auto left = std::span(map.items, map.items_bytes).subspan(map.items_at);
  shm::MapItem item{};
  if (left.size() < sizeof item) return false;
  std::memcpy(&item, left.data(), sizeof item);
  const auto body = left.subspan(sizeof item);
  if (item.key_bytes > shm::kMapKeyBytesMax || item.value_bytes > shm::kMapValueBytesMax ||
      item.key_bytes + item.value_bytes > body.size()) {
    return false;
  }
  std::memcpy(map.items_key, body.data(), item.key_bytes);
  map.items_key[item.key_bytes] = '\0';
  std::memcpy(wanted.key, map.items_key, item.key_bytes + std::size_t{1});
  wanted.bytes = item.value_bytes;
  wanted.type = static_cast<phx_map_type>(item.type);
  const std::size_t copied = std::min<std::size_t>(item.value_bytes, wanted.out.size());
  if (copied != 0) std::memcpy(wanted.out.data(), body.data() + item.key_bytes, copied);
  map.items_at += sizeof item + item.key_bytes + item.value_bytes;
  return true;
}

phx_status next_statistic(Map& map, Wanted& wanted) noexcept {
  const bool goes_on = map.items_at != 0 && !map.gone && wanted.prefix == map.items_prefix &&
                       std::strcmp(wanted.key, map.items_key) == 0;
  if (goes_on && take_item(map, wanted)) return PHX_OK;
  const std::string_view after = wanted.key;
  map.items_at = map.items_bytes = 0;
  const phx_status status = ask(map,
                                {shm::MapCall::StatsNext,
                                 {},
                                 wanted.prefix,
                                 {reinterpret_cast<const std::byte*>(after.data()), after.size()}},
                                map.items, &map.items_bytes);
  if (status != PHX_OK) return status;
  std::memcpy(map.items_prefix, wanted.prefix.data(), wanted.prefix.size());
  map.items_prefix[wanted.prefix.size()] = '\0';
  if (take_item(map, wanted)) return PHX_OK;
  map.items_at = 0;
  return PHX_NOT_FOUND;
}

}  // namespace
}  // namespace phalanx::client::map

phx_status phx_map_next(phx_map value, const char* prefix, char* key, void* data, size_t capacity,
                        size_t* bytes, phx_map_type* type) {
  using namespace phalanx;
  using namespace phalanx::client::map;
  if (key == nullptr || (data == nullptr && capacity != 0)) return PHX_INVALID;
  if (prefix == nullptr) prefix = "";
  if (strnlen(prefix, shm::kMapKeyBytesMax + 1) > shm::kMapKeyBytesMax ||
      strnlen(key, shm::kMapKeyBytesMax + 1) > shm::kMapKeyBytesMax) {
    return PHX_NAME_TOO_LONG;
  }
  const Using use(value);
  if (!use) return PHX_BAD_HANDLE;
  Wanted wanted{.prefix = prefix, .key = key, .out = {static_cast<std::byte*>(data), capacity}};
  const phx_status status = use.map().kind == PHX_MAP_STATS ? next_statistic(use.map(), wanted)
                                                            : next_config(use.map(), wanted);
  if (status != PHX_OK) return status;
  if (bytes != nullptr) *bytes = wanted.bytes;
  if (type != nullptr) *type = wanted.type;
  return data != nullptr && wanted.bytes > capacity ? PHX_TOO_BIG : PHX_OK;
}
