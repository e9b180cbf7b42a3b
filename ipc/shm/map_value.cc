#include "ipc/shm/map_value.h"

#include <cstring>

namespace phalanx::shm {
namespace {

bool is_key_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '/' || c == ':';
}

template <class T>
bool add(std::span<std::byte> value, std::int64_t delta) noexcept {
  T number{};
  std::memcpy(&number, value.data(), sizeof number);
  if (__builtin_add_overflow(number, delta, &number)) return false;
  std::memcpy(value.data(), &number, sizeof number);
  return true;
}

}  // namespace

MapStatus check_map_key(std::string_view key) noexcept {
  if (key.size() > kMapKeyBytesMax) return MapStatus::NameTooLong;
  if (key.size() < kMapKeyBytesMin) return MapStatus::BadName;
  for (const char c : key) {
    if (!is_key_character(c)) return MapStatus::BadName;
  }
  return MapStatus::Ok;
}

MapStatus check_map_value(MapType type, std::span<const std::byte> value) noexcept {
  if (type < MapType::I8 || type > MapType::Binary) return MapStatus::WrongType;
  if (value.size() > kMapValueBytesMax) return MapStatus::TooBig;
  const std::size_t fixed = map_type_bytes(type);
  if (fixed != 0) return value.size() == fixed ? MapStatus::Ok : MapStatus::WrongSize;
  if (type == MapType::Binary) return MapStatus::Ok;
  const bool ends_once =
      !value.empty() && std::memchr(value.data(), 0, value.size()) == &value.back();
  return ends_once ? MapStatus::Ok : MapStatus::WrongSize;
}

std::size_t map_type_bytes(MapType type) noexcept {
  switch (type) {
    case MapType::I8:
    case MapType::U8:
      return 1;
    case MapType::I16:
    case MapType::U16:
      return 2;
    case MapType::I32:
    case MapType::U32:
    case MapType::Float:
      return 4;
    case MapType::I64:
    case MapType::U64:
    case MapType::Double:
      return 8;
    case MapType::None:
    case MapType::String:
    case MapType::Binary:
      break;
  }
  return 0;
}

bool is_map_integer(MapType type) noexcept { return type >= MapType::I8 && type <= MapType::U64; }

bool add_to_map_integer(MapType type, std::span<std::byte> value, std::int64_t delta) noexcept {
  if (value.size() != map_type_bytes(type)) return false;
  switch (type) {
    case MapType::I8:
      return add<std::int8_t>(value, delta);
    case MapType::U8:
      return add<std::uint8_t>(value, delta);
    case MapType::I16:
      return add<std::int16_t>(value, delta);
    case MapType::U16:
      return add<std::uint16_t>(value, delta);
    case MapType::I32:
      return add<std::int32_t>(value, delta);
    case MapType::U32:
      return add<std::uint32_t>(value, delta);
    case MapType::I64:
      return add<std::int64_t>(value, delta);
    case MapType::U64:
      return add<std::uint64_t>(value, delta);
    case MapType::None:
    case MapType::Float:
    case MapType::Double:
    case MapType::String:
    case MapType::Binary:
      break;
  }
  return false;
}

}  // namespace phalanx::shm
