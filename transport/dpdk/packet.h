#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transport/udp/address.h"

namespace phalanx::transport::dpdk {

using Mac = std::array<std::uint8_t, 6>;

constexpr Mac kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// What an IP multicast group is on Ethernet.
[[nodiscard]] Mac multicast_mac(const udp::Address& group) noexcept;

/// What the port computes in our stead.
struct ChecksumOffload {
  bool ip = false;
  bool udp = false;
};

/// Ethernet, IPv4 or IPv6, and UDP headers from one node to one place, made once; what differs from
/// frame to frame is filled in. No options, no fragments, so the length never changes.
class PacketHeader {
 public:
  static constexpr std::size_t kEthernetBytes = 14;
  static constexpr std::size_t kIpv4Bytes = 20;
  static constexpr std::size_t kIpv6Bytes = 40;
  static constexpr std::size_t kUdpBytes = 8;
  static constexpr std::size_t kBytesMax = kEthernetBytes + kIpv6Bytes + kUdpBytes;

  PacketHeader(const Mac& from_mac, const udp::Address& from, const Mac& to_mac,
               const udp::Address& to) noexcept;

  [[nodiscard]] static constexpr std::size_t bytes_of(bool ipv6) noexcept {
    return kEthernetBytes + (ipv6 ? kIpv6Bytes : kIpv4Bytes) + kUdpBytes;
  }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_of(ipv6_); }
  [[nodiscard]] bool is_ipv6() const noexcept { return ipv6_; }
  void set_destination(const Mac& mac) noexcept;

  /// Writes the headers before a frame of `frame_bytes`, which lies behind them. Checksums that the
  /// port computes are left as it wants them. Over IPv4 the UDP checksum may be left out, and is,
  /// unless the port computes it: the cipher's tag says more. IPv6 asks for it.
  void write(std::byte* at, std::size_t frame_bytes, ChecksumOffload port) const noexcept;

 private:
  std::array<std::byte, kBytesMax> bytes_{};
  bool ipv6_;
  std::uint32_t address_sum_ = 0;  ///< Of the pseudo header, without the length.
};

/// Who a packet may be for: our own address, and the group's when there is one.
struct PacketFilter {
  udp::Address self;
  std::optional<udp::Address> group;
};

/// A received packet as far as it concerns us.
struct Packet {
  std::span<const std::byte> frame;
  Mac from{};
  bool own = false;  ///< We sent it ourselves: a group came back.
};

/// Nothing when the bytes are no UDP packet for us, or lie about a length. Every byte is hostile.
[[nodiscard]] std::optional<Packet> parse_packet(std::span<const std::byte> bytes,
                                                 const PacketFilter& filter) noexcept;

}  // namespace phalanx::transport::dpdk
