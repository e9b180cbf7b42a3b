#pragma once

#include <string>
#include <string_view>

#include "config/load.h"

namespace phalanx::config {

/// A correct [[cluster.nodes]] part for tests of something else.
inline constexpr std::string_view kNode =
    "[[cluster.nodes]]\nid = 1\naddress = \"127.0.0.1:5405\"\n";

/// A file of node 1 with `text` in it; the key file is not looked at.
inline Expected<Config, ConfigErrors> parse_with(std::string_view text) {
  return parse("[node]\nid = 1\n" + std::string(text) + std::string(kNode), "t.toml",
               {.instance = "", .check_key_file = false});
}

/// What the operator reads, or "" when there is no error.
inline std::string errors_of(const Expected<Config, ConfigErrors>& result) {
  return result ? "" : result.error().text();
}

inline std::string errors_of(std::string_view text) { return errors_of(parse_with(text)); }

}  // namespace phalanx::config
