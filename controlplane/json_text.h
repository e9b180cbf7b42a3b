#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace phalanx {

/// One line of JSON. What others had a hand in (a path, a line of a log, a name) need not be UTF-8:
/// bytes that are none stand as U+FFFD, where dump() by itself would throw.
[[nodiscard]] inline std::string json_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace phalanx
