#include "controlplane/cli/map_text.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

/// Runs `what` with a number of the C type of `type`; false when it is no number.
template <class What>
bool with_number(phx_map_type type, const What& what) {
  switch (type) {
    case PHX_MAP_I8:
      return what(std::int8_t{});
    case PHX_MAP_U8:
      return what(std::uint8_t{});
    case PHX_MAP_I16:
      return what(std::int16_t{});
    case PHX_MAP_U16:
      return what(std::uint16_t{});
    case PHX_MAP_I32:
      return what(std::int32_t{});
    case PHX_MAP_U32:
      return what(std::uint32_t{});
    case PHX_MAP_I64:
      return what(std::int64_t{});
    case PHX_MAP_U64:
      return what(std::uint64_t{});
    case PHX_MAP_FLOAT:
      return what(float{});
    case PHX_MAP_DOUBLE:
      return what(double{});
    case PHX_MAP_STRING:
    case PHX_MAP_BINARY:
      break;
  }
  return false;
}

Error no_value(phx_map_type type, const std::string& text, std::string remedy) {
  return {.code = ExitCode::Usage,
          .attempted = "\"" + escaped(text) + "\" is no " + type_name(type),
          .observed = {},
          .remedy = std::move(remedy)};
}

template <class Number>
std::string range_of(Number) {
  if constexpr (std::is_floating_point_v<Number>) {
    return "a number like -1.5 or 2e9";
  } else {
    return "a whole number from " + std::to_string(std::numeric_limits<Number>::min()) + " to " +
           std::to_string(std::numeric_limits<Number>::max());
  }
}

Expected<MapValue, Error> parse_hex(const std::string& text) {
  MapValue value{.type = PHX_MAP_BINARY, .bytes = {}};
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned byte = 0;
    const char* end = text.data() + std::min(text.size(), i + 2);
    const auto [at, bad] = std::from_chars(text.data() + i, end, byte, 16);
    if (bad != std::errc() || at != text.data() + i + 2) {
      return fail(no_value(PHX_MAP_BINARY, text, "give two hexadecimal digits a byte, as 00ff"));
    }
    value.bytes.push_back(static_cast<unsigned char>(byte));
  }
  return value;
}

std::string hex(const std::vector<unsigned char>& bytes) {
  std::string out;
  std::array<char, 3> digits{};
  for (const unsigned char byte : bytes) {
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    out += digits.data();
  }
  return out;
}

/// Without the zero at its end.
std::string_view string_of(const MapValue& value) {
  const auto* at = reinterpret_cast<const char*>(value.bytes.data());
  return {at, value.bytes.empty() ? 0 : value.bytes.size() - 1};
}

}  // namespace

const std::vector<std::string>& type_names() {
  static const std::vector<std::string> names = {
      "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "float", "double", "string", "binary"};
  return names;
}

const char* type_name(phx_map_type type) {
  const auto number = static_cast<std::size_t>(type);
  return number >= 1 && number <= type_names().size() ? type_names()[number - 1].c_str() : "?";
}

std::optional<phx_map_type> type_of(const std::string& name) {
  for (std::size_t i = 0; i < type_names().size(); ++i) {
    if (type_names()[i] == name) return static_cast<phx_map_type>(i + 1);
  }
  return std::nullopt;
}

Expected<MapValue, Error> parse_map_value(phx_map_type type, const std::string& text) {
  MapValue value{.type = type, .bytes = {}};
  if (type == PHX_MAP_BINARY) return parse_hex(text);
  if (type == PHX_MAP_STRING) {
    value.bytes.assign(text.begin(), text.end());
    value.bytes.push_back(0);
    return value;
  }
  std::string allowed;
  const bool read = with_number(type, [&](auto number) {
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    allowed = range_of(number);
    if (bad != std::errc() || end != text.data() + text.size()) return false;
    value.bytes.resize(sizeof number);
    std::memcpy(value.bytes.data(), &number, sizeof number);
    return true;
  });
  if (read) return value;
  return fail(no_value(type, text, "give " + allowed));
}

std::string text_of(const MapValue& value) {
  if (value.type == PHX_MAP_STRING) return escaped(string_of(value));
  std::array<char, 64> text{};
  const bool number = with_number(value.type, [&](auto n) {
    if (value.bytes.size() != sizeof n) return false;
    std::memcpy(&n, value.bytes.data(), sizeof n);
    return std::to_chars(text.data(), text.data() + text.size() - 1, n).ec == std::errc();
  });
  return number ? text.data() : hex(value.bytes);
}

json json_of(const MapValue& value) {
  json out = {{"type", type_name(value.type)}, {"value", text_of(value)}};
  if (value.type == PHX_MAP_STRING) out["value"] = string_of(value);
  (void)with_number(value.type, [&](auto n) {
    if (value.bytes.size() != sizeof n) return false;
    std::memcpy(&n, value.bytes.data(), sizeof n);
    out["value"] = n;
    return true;
  });
  return out;
}

}  // namespace phalanx::cli
