#include "config/value.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>
#include <span>

namespace phalanx::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 4> kSizes{
    {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}};
constexpr std::array<Unit, 5> kDurations{
    {{"min", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}}};

Expected<std::int64_t, std::string> parse_with_unit(std::string_view text,
                                                    std::span<const Unit> units) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range) return fail(std::string("is too large a number"));
  if (error != std::errc{}) return fail(std::string("does not begin with a whole number"));
  if (number < 0) return fail(std::string("is negative"));
  std::string_view name(rest, static_cast<std::size_t>(end - rest));
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  if (name.empty()) return fail(std::string("has no unit"));
  if (name.front() == '.' || name.front() == ',') return fail(std::string("is not a whole number"));
  for (const Unit& unit : units) {
    if (name != unit.name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) {
      return fail(std::string("is too large a number"));
    }
    return number * unit.factor;
  }
  return fail("has the unknown unit \"" + std::string(name) + "\"");
}

std::string format_with_unit(std::int64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number >= unit.factor && number % unit.factor == 0) {
      return std::to_string(number / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(number) + std::string(units.back().name);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

Expected<std::int64_t, std::string> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizes);
}

Expected<std::int64_t, std::string> parse_duration(std::string_view text) {
  return parse_with_unit(text, kDurations);
}

std::string format_size(std::int64_t bytes) { return format_with_unit(bytes, kSizes); }

std::string format_duration(std::int64_t nanoseconds) {
  return format_with_unit(nanoseconds, kDurations);
}

Expected<Endpoint, std::string> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(std::string("has no port"));
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    endpoint.is_ipv6 = true;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(std::string("is an IPv6 address without brackets, or has no port"));
  }
  endpoint.host = host;
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(endpoint.is_ipv6 ? AF_INET6 : AF_INET, endpoint.host.c_str(), bytes.data()) != 1) {
    return fail("holds \"" + endpoint.host + "\", which is not a numeric " +
                (endpoint.is_ipv6 ? "IPv6" : "IPv4") + " address");
  }
  const std::string_view port = text.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, endpoint.port);
  if (error != std::errc{} || rest != end || endpoint.port == 0) {
    return fail("has the port \"" + std::string(port) + "\", which is not 1 to 65535");
  }
  return endpoint;
}

bool is_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 63) return false;
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!alphanumeric(text.front())) return false;
  for (const char c : text) {
    if (!alphanumeric(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

bool is_multicast(const Endpoint& endpoint) noexcept {
  if (endpoint.is_ipv6) {
    in6_addr v6{};
    return inet_pton(AF_INET6, endpoint.host.c_str(), &v6) == 1 && v6.s6_addr[0] == 0xff;
  }
  in_addr v4{};
  return inet_pton(AF_INET, endpoint.host.c_str(), &v4) == 1 &&
         (ntohl(v4.s_addr) & 0xf0000000U) == 0xe0000000U;
}

bool is_wildcard(const Endpoint& endpoint) noexcept {
  if (endpoint.is_ipv6) {
    in6_addr v6{};
    return inet_pton(AF_INET6, endpoint.host.c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
  }
  return endpoint.host == "0.0.0.0";
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04X", unsigned{byte});
      out += code.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string format_toml(Kind kind, const Value& value) {
  switch (kind) {
    case Kind::Integer:
      return std::to_string(value.number);
    case Kind::Size:
      return quoted(format_size(value.number));
    case Kind::Duration:
      return quoted(format_duration(value.number));
    case Kind::Choice:
    case Kind::Name:
    case Kind::Path:
    case Kind::Address:
    case Kind::Text:
      return quoted(value.text);
    case Kind::Ids:
      break;
  }
  std::string out = "[";
  for (const std::uint32_t id : value.ids) {
    out += (out.size() > 1 ? ", " : "") + std::to_string(id);
  }
  return out + "]";
}

}  // namespace phalanx::config
