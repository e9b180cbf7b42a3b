#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "ipc/base/expected.h"

namespace phalanx::config {

/// How a key is written in the file.
enum class Kind : std::uint8_t {
  Integer,   ///< 3
  Size,      ///< "16MiB": B, KiB, MiB, GiB
  Duration,  ///< "250ms": ns, us, ms, s, min
  Choice,    ///< one of a few words
  Name,      ///< letters, digits, '-', '_' and '.', 1 to 63 of them, first a letter or digit
  Path,      ///< an absolute path, or "" for the default
  Address,   ///< "10.0.0.1:5405" or "[fd00::1]:5405", or "" for none where that is allowed
  Text,      ///< anything on one line
  Ids,       ///< [1000, 1001]
};

/// What a key holds; `Kind` says which member counts.
struct Value {
  std::int64_t number = 0;  ///< Integer; bytes of a Size; nanoseconds of a Duration.
  std::string text;         ///< Choice, Name, Path, Text; "" or the written form of an Address.
  std::vector<std::uint32_t> ids;

  friend bool operator==(const Value&, const Value&) = default;
};

/// The readers of written values. On failure they say what is wrong with `text`, in words that go
/// on after the name of the key: "has no unit", "has the unknown unit \"MB\"".
[[nodiscard]] Expected<std::int64_t, std::string> parse_size(std::string_view text);
[[nodiscard]] Expected<std::int64_t, std::string> parse_duration(std::string_view text);
[[nodiscard]] Expected<Endpoint, std::string> parse_endpoint(std::string_view text);
[[nodiscard]] bool is_name(std::string_view text) noexcept;
[[nodiscard]] bool is_multicast(const Endpoint& endpoint) noexcept;
[[nodiscard]] bool is_wildcard(const Endpoint& endpoint) noexcept;  ///< 0.0.0.0 or ::

/// With the largest unit that divides it: 16777216 is "16MiB", 1500000000 is "1500ms".
[[nodiscard]] std::string format_size(std::int64_t bytes);
[[nodiscard]] std::string format_duration(std::int64_t nanoseconds);

/// A TOML string: in quotes, with what may not stand between them escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// As it would stand in the file, quotes included.
[[nodiscard]] std::string format_toml(Kind kind, const Value& value);

}  // namespace phalanx::config
