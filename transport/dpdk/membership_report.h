#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "transport/dpdk/packet.h"
#include "transport/udp/address.h"

namespace phalanx::transport::dpdk {

/// Tells the switches of a segment that this node wants a group's packets: an IGMPv3 report, or an
/// MLDv2 one, "from everybody". Switches that snoop pass a group only where somebody said so. Made
/// once, sent again and again, since nothing here answers queries. No DPDK in it.
class MembershipReport {
 public:
  /// An IPv6 report comes from a link-local address, made from the MAC address when `self` is none.
  MembershipReport(const Mac& mac, const udp::Address& self, const udp::Address& group,
                   VlanId vlan = 0) noexcept;

  /// The whole Ethernet packet.
  [[nodiscard]] std::span<const std::byte> packet() const noexcept {
    return std::span(bytes_).first(length_);
  }

 private:
  void write_igmp(const udp::Address& self, const udp::Address& group) noexcept;
  void write_mld(const Mac& mac, const udp::Address& self, const udp::Address& group) noexcept;

  static constexpr std::size_t kBytesMax = 94;
  VlanId vlan_;
  std::array<std::byte, kBytesMax> bytes_{};
  std::size_t length_ = 0;
};

}  // namespace phalanx::transport::dpdk
