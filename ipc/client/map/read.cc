#include <algorithm>
#include <cstring>

#include "ipc/client/map/handle.h"

namespace phalanx::client::map {
namespace {

phx_status read_config(Map& map, std::string_view key, std::span<std::byte> out, std::size_t& bytes,
                       phx_map_type& type) noexcept {
  shm::MapReader::Found found;
  switch (is_gone(map) ? shm::MapReader::Result::Torn : map.reader.find(key, found, out)) {
    case shm::MapReader::Result::Found:
      bytes = found.value_bytes;
      type = static_cast<phx_map_type>(found.type);
      return PHX_OK;
    case shm::MapReader::Result::None:
      return PHX_NOT_FOUND;
    case shm::MapReader::Result::Torn:
      break;
  }
  map.gone = true;
  return PHX_DISCONNECTED;
}

phx_status read_statistic(Map& map, std::string_view key, std::span<std::byte> out,
                          std::size_t& bytes, phx_map_type& type) noexcept {
  shm::MapValueHead head{};
  phx_ipc_reply reply{};
  const phx_status status = ask_in_place(map, {shm::MapCall::StatsGet, {}, key},
                                         sizeof head + shm::kMapValueBytesMax, reply);
  if (status != PHX_OK) return status;
  const bool sane = reply.bytes >= sizeof head;
  if (sane) {
    std::memcpy(&head, reply.data, sizeof head);
    bytes = reply.bytes - sizeof head;
    type = static_cast<phx_map_type>(head.type);
    const auto* value = static_cast<const std::byte*>(reply.data) + sizeof head;
    const std::size_t copied = std::min(bytes, out.size());
    if (copied != 0) std::memcpy(out.data(), value, copied);
  }
  (void)phx_ipc_reply_release(map.connection, &reply);
  map.gone = map.gone || !sane;
  return sane ? PHX_OK : PHX_DISCONNECTED;
}

template <class T>
phx_status get_number(phx_map value, const char* key, T* number, phx_map_type wanted) noexcept {
  if (number == nullptr) return PHX_INVALID;
  const Using use(value);
  if (!use) return PHX_BAD_HANDLE;
  std::byte room[8];
  std::size_t bytes = 0;
  phx_map_type type = wanted;
  const phx_status status = read_key(use.map(), key, room, bytes, type);
  if (status != PHX_OK) return status;
  if (type != wanted || bytes != sizeof *number) return PHX_WRONG_TYPE;
  std::memcpy(number, room, sizeof *number);
  return PHX_OK;
}

}  // namespace

phx_status read_key(Map& map, const char* key, std::span<std::byte> out, std::size_t& bytes,
                    phx_map_type& type) noexcept {
  if (key == nullptr) return PHX_INVALID;
  const std::string_view name(key, strnlen(key, shm::kMapKeyBytesMax + 1));
  const phx_status status = shm::status_of(shm::check_map_key(name));
  if (status != PHX_OK) return status;
  return map.kind == PHX_MAP_STATS ? read_statistic(map, name, out, bytes, type)
                                   : read_config(map, name, out, bytes, type);
}

}  // namespace phalanx::client::map

using namespace phalanx::client::map;

phx_status phx_map_get(phx_map map, const char* key, void* data, size_t capacity, size_t* bytes,
                       phx_map_type* type) {
  if (data == nullptr && capacity != 0) return PHX_INVALID;
  const Using use(map);
  if (!use) return PHX_BAD_HANDLE;
  std::size_t length = 0;
  phx_map_type has = PHX_MAP_BINARY;
  const phx_status status =
      read_key(use.map(), key, {static_cast<std::byte*>(data), capacity}, length, has);
  if (status != PHX_OK) return status;
  if (bytes != nullptr) *bytes = length;
  if (type != nullptr) *type = has;
  return data != nullptr && length > capacity ? PHX_TOO_BIG : PHX_OK;
}

phx_status phx_map_get_string(phx_map map, const char* key, char* text, size_t capacity) {
  if (text == nullptr) return PHX_INVALID;
  const Using use(map);
  if (!use) return PHX_BAD_HANDLE;
  std::size_t length = 0;
  phx_map_type type = PHX_MAP_STRING;
  const phx_status status =
      read_key(use.map(), key, {reinterpret_cast<std::byte*>(text), capacity}, length, type);
  if (status != PHX_OK) return status;
  if (type != PHX_MAP_STRING || length == 0) return PHX_WRONG_TYPE;
  if (length > capacity) return PHX_TOO_BIG;
  text[length - 1] = '\0';  // It is there already, unless the daemon lies.
  return PHX_OK;
}

phx_status phx_map_get_i8(phx_map map, const char* key, int8_t* value) {
  return get_number(map, key, value, PHX_MAP_I8);
}
phx_status phx_map_get_u8(phx_map map, const char* key, uint8_t* value) {
  return get_number(map, key, value, PHX_MAP_U8);
}
phx_status phx_map_get_i16(phx_map map, const char* key, int16_t* value) {
  return get_number(map, key, value, PHX_MAP_I16);
}
phx_status phx_map_get_u16(phx_map map, const char* key, uint16_t* value) {
  return get_number(map, key, value, PHX_MAP_U16);
}
phx_status phx_map_get_i32(phx_map map, const char* key, int32_t* value) {
  return get_number(map, key, value, PHX_MAP_I32);
}
phx_status phx_map_get_u32(phx_map map, const char* key, uint32_t* value) {
  return get_number(map, key, value, PHX_MAP_U32);
}
phx_status phx_map_get_i64(phx_map map, const char* key, int64_t* value) {
  return get_number(map, key, value, PHX_MAP_I64);
}
phx_status phx_map_get_u64(phx_map map, const char* key, uint64_t* value) {
  return get_number(map, key, value, PHX_MAP_U64);
}
phx_status phx_map_get_float(phx_map map, const char* key, float* value) {
  return get_number(map, key, value, PHX_MAP_FLOAT);
}
phx_status phx_map_get_double(phx_map map, const char* key, double* value) {
  return get_number(map, key, value, PHX_MAP_DOUBLE);
}
