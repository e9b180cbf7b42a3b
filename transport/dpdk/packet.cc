#include "transport/dpdk/packet.h"

#include <cstring>

#include "transport/dpdk/internet.h"

namespace phalanx::transport::dpdk {
namespace {

constexpr std::uint16_t kTypeVlan = 0x8100;
constexpr std::uint16_t kTypeIpv4 = 0x0800;
constexpr std::uint16_t kTypeIpv6 = 0x86dd;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint8_t kHops = 64;
constexpr std::size_t kTypeAt = 12;

bool is_at(const std::byte* at, const udp::Address& address) noexcept {
  const auto bytes = raw(address);
  return std::memcmp(at, bytes.data(), bytes.size()) == 0;
}

/// Whose port this is, if it is one of `workers` from that of `first` upwards.
std::optional<std::uint16_t> worker_at(const std::byte* host, std::uint16_t port,
                                       const udp::Address& first, std::uint16_t workers) noexcept {
  const int above = port - first.port();
  if (above < 0 || above >= workers || !is_at(host, first)) return std::nullopt;
  return static_cast<std::uint16_t>(above);
}

bool is_tagged(const std::byte* at, VlanId vlan) noexcept {
  return load16(at) == kTypeVlan && vlan_of(load16(at + 2)) == vlan;
}

}  // namespace

void store_type(std::byte* at, VlanId vlan, bool ipv6) noexcept {
  if (vlan != 0) {
    store16(at, kTypeVlan);
    store16(at + 2, vlan);
    at += 4;
  }
  store16(at, ipv6 ? kTypeIpv6 : kTypeIpv4);
}

Mac multicast_mac(const udp::Address& group) noexcept {
  const auto bytes = raw(group);
  const auto at = [&](std::size_t from_end) {
    return std::to_integer<std::uint8_t>(bytes[bytes.size() - from_end]);
  };
  if (group.is_ipv6()) return {0x33, 0x33, at(4), at(3), at(2), at(1)};
  return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(at(3) & 0x7f), at(2), at(1)};
}

PacketHeader::PacketHeader(const Mac& from_mac, const udp::Address& from, const Mac& to_mac,
                           const udp::Address& to, VlanId vlan) noexcept
    : ipv6_(from.is_ipv6()), vlan_(vlan) {
  set_destination(to_mac);
  std::memcpy(bytes_.data() + 6, from_mac.data(), from_mac.size());
  store_type(bytes_.data() + kTypeAt, vlan_, ipv6_);
  std::byte* ip = bytes_.data() + ethernet();
  const auto source = raw(from);
  const auto destination = raw(to);
  if (ipv6_) {
    ip[0] = std::byte{0x60};
    ip[6] = std::byte{kProtocolUdp};
    ip[7] = std::byte{kHops};
    std::memcpy(ip + 8, source.data(), source.size());
    std::memcpy(ip + 24, destination.data(), destination.size());
  } else {
    ip[0] = std::byte{0x45};
    ip[6] = std::byte{0x40};  // Do not fragment.
    ip[8] = std::byte{kHops};
    ip[9] = std::byte{kProtocolUdp};
    std::memcpy(ip + 12, source.data(), source.size());
    std::memcpy(ip + 16, destination.data(), destination.size());
  }
  std::byte* udp = ip + (ipv6_ ? kIpv6Bytes : kIpv4Bytes);
  store16(udp, from.port());
  store16(udp + 2, to.port());
  address_sum_ =
      sum(source.data(), source.size(), sum(destination.data(), destination.size(), kProtocolUdp));
}

void PacketHeader::set_destination(const Mac& mac) noexcept {
  std::memcpy(bytes_.data(), mac.data(), mac.size());
}

void PacketHeader::write(std::byte* at, std::size_t frame_bytes,
                         ChecksumOffload port) const noexcept {
  std::memcpy(at, bytes_.data(), size());
  std::byte* ip = at + ethernet();
  const std::size_t udp_bytes = kUdpBytes + frame_bytes;
  std::byte* udp = ip + (ipv6_ ? kIpv6Bytes : kIpv4Bytes);
  store16(udp + 4, udp_bytes);
  // A port that computes the UDP checksum wants the sum of the pseudo header in its place.
  const std::uint64_t pseudo = std::uint64_t{address_sum_} + udp_bytes;
  if (port.udp) store16(udp + 6, folded(pseudo));
  if (ipv6_) {
    store16(ip + 4, udp_bytes);
    if (port.udp) return;
    const auto checksum = static_cast<std::uint16_t>(~folded(pseudo + sum(udp, udp_bytes)));
    store16(udp + 6, checksum == 0 ? 0xffff : checksum);
  } else {
    store16(ip + 2, kIpv4Bytes + udp_bytes);
    if (!port.ip) {
      store16(ip + 10, static_cast<std::uint16_t>(~folded(sum(ip, kIpv4Bytes))));
    }
  }
}

std::optional<Packet> parse_packet(std::span<const std::byte> bytes, const PacketFilter& filter,
                                   std::optional<VlanId> stripped) noexcept {
  if (stripped && *stripped != filter.vlan) return std::nullopt;
  const VlanId tag = stripped ? VlanId{0} : filter.vlan;
  const bool ipv6 = filter.self.is_ipv6();
  const std::size_t header = PacketHeader::bytes_of(ipv6, tag);
  if (bytes.size() <= header) return std::nullopt;
  if (tag != 0 && !is_tagged(bytes.data() + kTypeAt, tag)) return std::nullopt;
  const std::byte* ip = bytes.data() + ethernet_bytes(tag);
  const std::uint16_t type = load16(ip - 2);
  const std::byte* udp = bytes.data() + header - PacketHeader::kUdpBytes;
  const std::size_t udp_bytes = load16(udp + 4);
  // Short packets are padded to Ethernet's minimum, so there may be more bytes than UDP says.
  if (udp_bytes <= PacketHeader::kUdpBytes ||
      udp_bytes > bytes.size() - (header - PacketHeader::kUdpBytes)) {
    return std::nullopt;
  }
  const std::byte* source = ip + (ipv6 ? 8 : 12);
  const std::byte* destination = ip + (ipv6 ? 24 : 16);
  if (ipv6) {
    if (type != kTypeIpv6 || (ip[0] & std::byte{0xf0}) != std::byte{0x60} ||
        ip[6] != std::byte{kProtocolUdp} || load16(ip + 4) != udp_bytes) {
      return std::nullopt;
    }
  } else if (type != kTypeIpv4 || ip[0] != std::byte{0x45} || ip[9] != std::byte{kProtocolUdp} ||
             (load16(ip + 6) & 0x3fff) != 0 ||
             load16(ip + 2) != PacketHeader::kIpv4Bytes + udp_bytes ||
             folded(sum(ip, PacketHeader::kIpv4Bytes)) != 0xffff) {
    return std::nullopt;
  }
  auto worker = worker_at(destination, load16(udp + 2), filter.self, filter.workers);
  if (!worker && filter.group) {
    worker = worker_at(destination, load16(udp + 2), *filter.group, filter.workers);
  }
  if (!worker) return std::nullopt;
  Packet out{.frame = bytes.subspan(header, udp_bytes - PacketHeader::kUdpBytes),
             .worker = *worker,
             .own = worker_at(source, load16(udp), filter.self, filter.workers).has_value()};
  std::memcpy(out.from.data(), bytes.data() + 6, out.from.size());
  return out;
}

}  // namespace phalanx::transport::dpdk
