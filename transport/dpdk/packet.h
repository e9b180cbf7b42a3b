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

/// An 802.1Q tag's number of the virtual LAN, 1 to 4094; 0: packets carry no tag.
using VlanId = std::uint16_t;

/// Bytes before the IP header.
[[nodiscard]] constexpr std::size_t ethernet_bytes(VlanId vlan) noexcept {
  return vlan == 0 ? 14 : 18;
}
/// What follows the two MAC addresses: the tag, if there is one, and IPv4's or IPv6's number.
void store_type(std::byte* at, VlanId vlan, bool ipv6) noexcept;

/// What the port computes in our stead.
struct ChecksumOffload {
  bool ip = false;
  bool udp = false;
};

/// Ethernet, IPv4 or IPv6, and UDP headers from one node to one place, made once; what differs from
/// frame to frame is filled in. No options, no fragments, so the length never changes.
class PacketHeader {
 public:
  static constexpr std::size_t kIpv4Bytes = 20;
  static constexpr std::size_t kIpv6Bytes = 40;
  static constexpr std::size_t kUdpBytes = 8;
  static constexpr std::size_t kBytesMax = ethernet_bytes(1) + kIpv6Bytes + kUdpBytes;

  PacketHeader(const Mac& from_mac, const udp::Address& from, const Mac& to_mac,
               const udp::Address& to, VlanId vlan = 0) noexcept;

  [[nodiscard]] static constexpr std::size_t bytes_of(bool ipv6, VlanId vlan) noexcept {
    return ethernet_bytes(vlan) + (ipv6 ? kIpv6Bytes : kIpv4Bytes) + kUdpBytes;
  }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_of(ipv6_, vlan_); }
  [[nodiscard]] std::size_t ethernet() const noexcept { return ethernet_bytes(vlan_); }
  [[nodiscard]] bool is_ipv6() const noexcept { return ipv6_; }
  void set_destination(const Mac& mac) noexcept;

  /// Writes the headers before a frame of `frame_bytes`, which lies behind them. Checksums that the
  /// port computes are left as it wants them. Over IPv4 the UDP checksum may be left out, and is,
  /// unless the port computes it: the cipher's tag says more. IPv6 asks for it.
  void write(std::byte* at, std::size_t frame_bytes, ChecksumOffload port) const noexcept;

 private:
  std::array<std::byte, kBytesMax> bytes_{};
  bool ipv6_;
  VlanId vlan_;
  std::uint32_t address_sum_ = 0;  ///< Of the pseudo header, without the length.
};

/// Who a packet may be for: our own address, and the group's when there is one. Both are the first
/// worker's; the port of each further one is one higher.
struct PacketFilter {
  udp::Address self;
  std::optional<udp::Address> group;
  std::uint16_t workers = 1;
  VlanId vlan = 0;  ///< Packets of other virtual LANs are not for us; nor are untagged ones.
};

/// A received packet as far as it concerns us.
struct Packet {
  std::span<const std::byte> frame;
  Mac from{};
  std::uint16_t worker = 0;  ///< Whose port it was sent to.
  bool own = false;          ///< We sent it ourselves: a group came back.
};

/// Nothing when the bytes are no UDP packet for us, or lie about a length. Every byte is hostile.
/// `stripped`: the port took the tag off, and it was for this virtual LAN.
[[nodiscard]] std::optional<Packet> parse_packet(
    std::span<const std::byte> bytes, const PacketFilter& filter,
    std::optional<VlanId> stripped = std::nullopt) noexcept;

/// The number in a tag's two bytes; the rest is priority, which is not ours to judge.
[[nodiscard]] constexpr VlanId vlan_of(std::uint16_t tag) noexcept { return tag & 0x0fff; }

}  // namespace phalanx::transport::dpdk
