#pragma once

#include <arpa/inet.h>
#include <infiniband/verbs.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

namespace phalanx::transport::verbs {

inline constexpr std::size_t kGrhBytes = 40;  ///< In front of every UD payload, always.
inline constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0,    0,
                                                               0, 0, 0, 0, 0xff, 0xff};

inline bool is_ipv4(const ibv_gid& gid) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), gid.raw);
}

inline bool same(const ibv_gid& a, const ibv_gid& b) {
  return std::memcmp(a.raw, b.raw, sizeof a.raw) == 0;
}

/// The GID of a numeric address: itself, or mapped from IPv4.
inline std::optional<ibv_gid> gid_of(const std::string& address) {
  ibv_gid out{};
  if (inet_pton(AF_INET6, address.c_str(), out.raw) == 1) return out;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.raw);
  if (inet_pton(AF_INET, address.c_str(), out.raw + kMappedPrefix.size()) == 1) return out;
  return std::nullopt;
}

inline std::string text(const ibv_gid& gid) {
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(AF_INET6, gid.raw, out.data(), out.size());
  return out.data();
}

/// Who sent what lies behind this header. RoCE v2 over IPv4 leaves the IP header in the last 20 of
/// the 40 bytes (ibv_create_ah_from_wc refuses packets that came by multicast).
inline ibv_gid source_of(const std::byte* grh, bool ipv4) {
  ibv_gid out{};
  if (ipv4) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.raw);
    std::memcpy(out.raw + kMappedPrefix.size(), grh + 32, 4);
  } else {
    std::memcpy(out.raw, grh + 8, sizeof out.raw);
  }
  return out;
}

}  // namespace phalanx::transport::verbs
