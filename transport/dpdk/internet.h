#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "transport/udp/address.h"

namespace phalanx::transport::dpdk {

// What the headers of the Internet's protocols are written with: big-endian words and checksums.

inline std::uint16_t load16(const std::byte* at) noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(at[0]) << 8 |
                                    std::to_integer<unsigned>(at[1]));
}

inline void store16(std::byte* at, std::size_t value) noexcept {
  at[0] = static_cast<std::byte>(value >> 8);
  at[1] = static_cast<std::byte>(value);
}

/// The Internet's checksum, not yet folded: words in network order.
inline std::uint32_t sum(const std::byte* at, std::size_t bytes, std::uint32_t start = 0) noexcept {
  std::uint64_t total = start;
  std::size_t i = 0;
  for (; i + 1 < bytes; i += 2) total += load16(at + i);
  if (i < bytes) total += std::to_integer<std::uint32_t>(at[i]) << 8;
  while (total >> 32 != 0) total = (total & 0xffffffff) + (total >> 32);
  return static_cast<std::uint32_t>(total);
}

inline std::uint16_t folded(std::uint64_t total) noexcept {
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

/// Address and port in network order; 4 or 16 bytes.
inline std::span<const std::byte> raw(const udp::Address& address) noexcept {
  if (address.is_ipv6()) return std::as_bytes(std::span(address.v6().sin6_addr.s6_addr));
  return std::as_bytes(std::span(&address.v4().sin_addr.s_addr, 1));
}

}  // namespace phalanx::transport::dpdk
