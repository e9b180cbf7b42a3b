#include <cstring>

#include "ipc/client/map/handle.h"

namespace phalanx::client::map {
namespace {

/// What can be refused without a question is: the daemon checks all of it again.
phx_status check(const Map& map, const char* key, std::string_view& name) noexcept {
  if (key == nullptr) return PHX_INVALID;
  if (map.kind == PHX_MAP_STATS) return PHX_READ_ONLY;
  name = {key, strnlen(key, shm::kMapKeyBytesMax + 1)};
  return shm::status_of(shm::check_map_key(name));
}

phx_status change(phx_map value, shm::MapCall call, const char* key, std::int64_t delta) {
  const Using use(value);
  if (!use) return PHX_BAD_HANDLE;
  std::string_view name;
  const phx_status status = check(use.map(), key, name);
  return status == PHX_OK ? ask(use.map(), {call, {.delta = delta}, name}) : status;
}

template <class T>
phx_status set_number(phx_map map, const char* key, T number, phx_map_type type) noexcept {
  return phx_map_set(map, key, type, &number, sizeof number);
}

}  // namespace
}  // namespace phalanx::client::map

using namespace phalanx;
using namespace phalanx::client::map;

phx_status phx_map_set(phx_map map, const char* key, phx_map_type type, const void* data,
                       size_t bytes) {
  const Using use(map);
  if (!use) return PHX_BAD_HANDLE;
  if (data == nullptr && bytes != 0) return PHX_INVALID;
  std::string_view name;
  if (const phx_status status = check(use.map(), key, name); status != PHX_OK) return status;
  const std::span value(static_cast<const std::byte*>(data), bytes);
  const auto number = static_cast<unsigned>(type);
  const auto checked = number > PHX_MAP_BINARY ? shm::MapType::None : shm::MapType(number);
  const phx_status status = shm::status_of(shm::check_map_value(checked, value));
  if (status != PHX_OK) return status;
  return ask(use.map(), {shm::MapCall::Set, {.type = number}, name, value});
}

phx_status phx_map_set_string(phx_map map, const char* key, const char* text) {
  if (text == nullptr) return PHX_INVALID;
  // One more than fits is enough to be refused.
  const std::size_t length = strnlen(text, PHX_MAP_VALUE_BYTES_MAX);
  return phx_map_set(map, key, PHX_MAP_STRING, text, length + 1);
}

phx_status phx_map_delete(phx_map map, const char* key) {
  return change(map, shm::MapCall::Delete, key, 0);
}
phx_status phx_map_inc(phx_map map, const char* key) {
  return change(map, shm::MapCall::Add, key, 1);
}
phx_status phx_map_dec(phx_map map, const char* key) {
  return change(map, shm::MapCall::Add, key, -1);
}

phx_status phx_map_set_i8(phx_map map, const char* key, int8_t value) {
  return set_number(map, key, value, PHX_MAP_I8);
}
phx_status phx_map_set_u8(phx_map map, const char* key, uint8_t value) {
  return set_number(map, key, value, PHX_MAP_U8);
}
phx_status phx_map_set_i16(phx_map map, const char* key, int16_t value) {
  return set_number(map, key, value, PHX_MAP_I16);
}
phx_status phx_map_set_u16(phx_map map, const char* key, uint16_t value) {
  return set_number(map, key, value, PHX_MAP_U16);
}
phx_status phx_map_set_i32(phx_map map, const char* key, int32_t value) {
  return set_number(map, key, value, PHX_MAP_I32);
}
phx_status phx_map_set_u32(phx_map map, const char* key, uint32_t value) {
  return set_number(map, key, value, PHX_MAP_U32);
}
phx_status phx_map_set_i64(phx_map map, const char* key, int64_t value) {
  return set_number(map, key, value, PHX_MAP_I64);
}
phx_status phx_map_set_u64(phx_map map, const char* key, uint64_t value) {
  return set_number(map, key, value, PHX_MAP_U64);
}
phx_status phx_map_set_float(phx_map map, const char* key, float value) {
  return set_number(map, key, value, PHX_MAP_FLOAT);
}
phx_status phx_map_set_double(phx_map map, const char* key, double value) {
  return set_number(map, key, value, PHX_MAP_DOUBLE);
}
