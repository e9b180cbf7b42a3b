#include "transport/dpdk/membership_report.h"

#include <algorithm>
#include <cstring>

#include "transport/dpdk/internet.h"

namespace phalanx::transport::dpdk {
namespace {

constexpr std::size_t kShortestPacket = 60;
// A change to "all but none": every source. Switches take it for a join at once.
constexpr std::byte kToExclude{4};

void put(std::byte* at, std::initializer_list<unsigned> bytes) noexcept {
  for (const unsigned byte : bytes) *at++ = static_cast<std::byte>(byte);
}

void put(std::byte* at, std::span<const std::byte> bytes) noexcept {
  std::memcpy(at, bytes.data(), bytes.size());
}

}  // namespace

MembershipReport::MembershipReport(const Mac& mac, const udp::Address& self,
                                   const udp::Address& group, VlanId vlan) noexcept
    : vlan_(vlan) {
  put(bytes_.data() + 6, std::as_bytes(std::span(mac)));
  store_type(bytes_.data() + 12, vlan_, self.is_ipv6());
  if (self.is_ipv6()) {
    write_mld(mac, self, group);
  } else {
    write_igmp(self, group);
  }
}

/// RFC 3376, 4.2; to 224.0.0.22 with the router alert option and one hop.
void MembershipReport::write_igmp(const udp::Address& self, const udp::Address& group) noexcept {
  put(bytes_.data(), {0x01, 0x00, 0x5e, 0x00, 0x00, 0x16});
  std::byte* ip = bytes_.data() + ethernet_bytes(vlan_);
  constexpr std::size_t kIpBytes = 24;
  constexpr std::size_t kReportBytes = 16;
  put(ip, {0x46, 0xc0, 0, kIpBytes + kReportBytes, 0, 0, 0x40, 0, 1, 2});
  put(ip + 12, raw(self));
  put(ip + 16, {224, 0, 0, 22, 0x94, 0x04, 0, 0});
  store16(ip + 10, std::uint16_t(~folded(sum(ip, kIpBytes))));
  std::byte* igmp = ip + kIpBytes;
  put(igmp, {0x22, 0, 0, 0, 0, 0, 0, 1});
  igmp[8] = kToExclude;
  put(igmp + 12, raw(group));
  store16(igmp + 2, std::uint16_t(~folded(sum(igmp, kReportBytes))));
  length_ = std::max(ethernet_bytes(vlan_) + kIpBytes + kReportBytes, kShortestPacket);
}

/// RFC 3810, 5.2; to ff02::16 with the router alert option and one hop.
void MembershipReport::write_mld(const Mac& mac, const udp::Address& self,
                                 const udp::Address& group) noexcept {
  put(bytes_.data(), {0x33, 0x33, 0x00, 0x00, 0x00, 0x16});
  std::byte* ip = bytes_.data() + ethernet_bytes(vlan_);
  constexpr std::size_t kOptionBytes = 8;
  constexpr std::size_t kReportBytes = 28;
  put(ip, {0x60, 0, 0, 0, 0, kOptionBytes + kReportBytes, 0, 1});
  std::byte* source = ip + 8;
  if (IN6_IS_ADDR_LINKLOCAL(&self.v6().sin6_addr)) {
    put(source, raw(self));
  } else {
    put(source, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2U, mac[1], mac[2], 0xff, 0xfe, mac[3],
                 mac[4], mac[5]});
  }
  std::byte* destination = ip + 24;
  put(destination, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16});
  constexpr unsigned kIcmp = 58;
  std::byte* option = ip + PacketHeader::kIpv6Bytes;
  put(option, {kIcmp, 0, 5, 2, 0, 0, 1, 0});
  std::byte* report = option + kOptionBytes;
  put(report, {143, 0, 0, 0, 0, 0, 0, 1});
  report[8] = kToExclude;
  put(report + 12, raw(group));
  const std::uint32_t pseudo = sum(source, 32, kIcmp + kReportBytes);
  store16(report + 2, std::uint16_t(~folded(sum(report, kReportBytes, pseudo))));
  length_ = ethernet_bytes(vlan_) + PacketHeader::kIpv6Bytes + kOptionBytes + kReportBytes;
}

}  // namespace phalanx::transport::dpdk
