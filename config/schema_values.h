#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/schema.h"
#include "config/value.h"

namespace phalanx::config {

// For the tables of keys: between a field of Config and the Value that a file holds.

inline constexpr std::int64_t kMs = 1'000'000;
inline constexpr std::int64_t kSec = 1'000'000'000;

template <class T>
constexpr T as(const Value& value) {
  return static_cast<T>(value.number);
}
inline Value number(std::uint64_t n) { return {.number = static_cast<std::int64_t>(n)}; }
inline Value words(std::string_view text) { return {.text = std::string(text)}; }

inline std::optional<Endpoint> endpoint_or_none(const Value& value) {
  if (value.text.empty()) return std::nullopt;
  const auto endpoint = parse_endpoint(value.text);
  return endpoint ? std::optional(*endpoint) : std::nullopt;
}
inline Value written(const std::optional<Endpoint>& endpoint) {
  return {.text = endpoint ? to_string(*endpoint) : std::string()};
}

}  // namespace phalanx::config
