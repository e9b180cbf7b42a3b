#pragma once

#include <phalanx/map.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// A value of a map as a copy.
struct MapValue {
  phx_map_type type = PHX_MAP_BINARY;
  std::vector<unsigned char> bytes;
};

/// "u32", "string": as on the command line. "?" for a number that is none.
[[nodiscard]] const char* type_name(phx_map_type type);
[[nodiscard]] std::optional<phx_map_type> type_of(const std::string& name);
[[nodiscard]] const std::vector<std::string>& type_names();

/// What somebody typed: a number, text, or the hexadecimal digits of a binary.
[[nodiscard]] Expected<MapValue, Error> parse_map_value(phx_map_type type, const std::string& text);
/// The way back, on one line: control bytes of text come escaped.
[[nodiscard]] std::string text_of(const MapValue& value);
/// {"type": "u32", "value": 7}; numbers as numbers, text as text, a binary as hexadecimal digits.
[[nodiscard]] nlohmann::json json_of(const MapValue& value);

}  // namespace phalanx::cli
