#include "transport/dpdk/packet.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phalanx::transport::dpdk {
namespace {

using Bytes = std::vector<std::byte>;

constexpr Mac kFrom = {2, 0, 0, 0, 0, 1};
constexpr Mac kTo = {2, 0, 0, 0, 0, 2};

udp::Address address(const std::string& host, std::uint16_t port) {
  return *udp::Address::parse({host, port});
}

Bytes from_hex(const std::string& hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

/// A packet from node 1 to node 2 that carries `frame`.
Bytes packet_of(const Bytes& frame, bool ipv6 = false, ChecksumOffload port = {}, VlanId vlan = 0) {
  const PacketHeader header(kFrom, address(ipv6 ? "fd00::1" : "10.0.0.1", 5405), kTo,
                            address(ipv6 ? "fd00::2" : "10.0.0.2", 5405), vlan);
  Bytes out(header.size());
  out.insert(out.end(), frame.begin(), frame.end());
  header.write(out.data(), frame.size(), port);
  return out;
}

PacketFilter at_node_2(bool ipv6 = false) {
  return {.self = address(ipv6 ? "fd00::2" : "10.0.0.2", 5405), .group = {}};
}

// The bytes were made by another implementation (python3, struct and its own checksum).
TEST(Packet, IsUdpOverIpv4AsOthersWriteIt) {
  EXPECT_EQ(packet_of(from_hex("0102030405")),
            from_hex("020000000002020000000001080045000021000040004011"
                     "26ca0a0000010a000002151d151d000d00000102030405"));
}

TEST(Packet, IsUdpOverIpv6WithItsChecksum) {
  EXPECT_EQ(packet_of(from_hex("0102030405"), true),
            from_hex("02000000000202000000000186dd60000000000d1140fd000000000000000000000000000001"
                     "fd000000000000000000000000000002151d151d000dd28f0102030405"));
}

// The tag stands between the addresses and the type, and changes nothing else.
TEST(Packet, CarriesTheTagOfItsVirtualLan) {
  const Bytes frame = from_hex("0102030405");
  for (const bool ipv6 : {false, true}) {
    Bytes expected = packet_of(frame, ipv6);
    const Bytes tag = from_hex("8100004d");
    expected.insert(expected.begin() + 12, tag.begin(), tag.end());

    EXPECT_EQ(packet_of(frame, ipv6, {}, 77), expected);
  }
}

TEST(Packet, IsOnlyForItsOwnVirtualLan) {
  const Bytes frame = from_hex("0102030405");
  for (const bool ipv6 : {false, true}) {
    PacketFilter filter = at_node_2(ipv6);
    Bytes tagged = packet_of(frame, ipv6, {}, 77);
    EXPECT_FALSE(parse_packet(tagged, filter)) << "untagged packets are taken only";
    filter.vlan = 78;
    EXPECT_FALSE(parse_packet(tagged, filter));
    filter.vlan = 77;
    EXPECT_FALSE(parse_packet(packet_of(frame, ipv6), filter)) << "no tag";
    tagged[14] |= std::byte{0xa0};  // A switch may have given it a priority.

    const auto packet = parse_packet(tagged, filter);

    ASSERT_TRUE(packet);
    EXPECT_EQ(Bytes(packet->frame.begin(), packet->frame.end()), frame);
    for (std::size_t length = 0; length < tagged.size(); ++length) {
      EXPECT_FALSE(parse_packet(std::span(tagged).first(length), filter)) << length;
    }
  }
}

// Kernels take the tag off and tell it beside the packet.
TEST(Packet, IsOnlyForItsOwnVirtualLanAlsoWhenThePortTookTheTagOff) {
  const Bytes bytes = packet_of(from_hex("0102030405"));
  PacketFilter filter = at_node_2();

  EXPECT_FALSE(parse_packet(bytes, filter, VlanId{77}));
  EXPECT_TRUE(parse_packet(bytes, filter, VlanId{0})) << "a priority alone";
  filter.vlan = 77;
  EXPECT_TRUE(parse_packet(bytes, filter, VlanId{77}));
  EXPECT_FALSE(parse_packet(bytes, filter, VlanId{78}));
  EXPECT_FALSE(parse_packet(bytes, filter, VlanId{0}));
}

TEST(Packet, ComesBackAsItWasWritten) {
  const Bytes frame = from_hex("00112233445566778899aabbccddeeff");
  for (const bool ipv6 : {false, true}) {
    Bytes bytes = packet_of(frame, ipv6);
    bytes.resize(bytes.size() + 20);  // Ethernet's padding is no part of the frame.

    const auto packet = parse_packet(bytes, at_node_2(ipv6));

    ASSERT_TRUE(packet) << ipv6;
    EXPECT_EQ(Bytes(packet->frame.begin(), packet->frame.end()), frame);
    EXPECT_EQ(packet->from, kFrom);
    EXPECT_FALSE(packet->own);
  }
}

// A port that computes a UDP checksum wants the pseudo header's in its place.
TEST(Packet, LeavesToThePortWhatThePortComputes) {
  const Bytes frame = from_hex("0102030405");
  const Bytes plain = packet_of(frame);
  const Bytes offloaded = packet_of(frame, false, {.ip = true, .udp = true});

  EXPECT_EQ(offloaded[24], std::byte{0});
  EXPECT_EQ(offloaded[25], std::byte{0});
  const std::uint32_t pseudo = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 13;
  EXPECT_EQ(offloaded[40], static_cast<std::byte>(pseudo >> 8));
  EXPECT_EQ(offloaded[41], static_cast<std::byte>(pseudo & 0xff));
  EXPECT_TRUE(std::equal(plain.begin() + 42, plain.end(), offloaded.begin() + 42));
}

TEST(Packet, IsOnlyForItsAddressee) {
  const Bytes bytes = packet_of(from_hex("01"));

  EXPECT_TRUE(parse_packet(bytes, at_node_2()));
  EXPECT_FALSE(parse_packet(bytes, {.self = address("10.0.0.3", 5405), .group = {}}));
  EXPECT_FALSE(parse_packet(bytes, {.self = address("10.0.0.2", 5406), .group = {}}));
  EXPECT_FALSE(parse_packet(bytes, at_node_2(true)));
}

TEST(Packet, ForTheGroupReachesItsMembersAndIsKnownToItsSender) {
  const udp::Address group = address("239.192.54.5", 5406);
  const PacketHeader header(kFrom, address("10.0.0.1", 5405), multicast_mac(group), group);
  Bytes bytes(header.size() + 1);
  header.write(bytes.data(), 1, {});

  const auto at_other = parse_packet(bytes, {.self = address("10.0.0.2", 5405), .group = group});
  const auto at_sender = parse_packet(bytes, {.self = address("10.0.0.1", 5405), .group = group});

  ASSERT_TRUE(at_other && at_sender);
  EXPECT_FALSE(at_other->own);
  EXPECT_TRUE(at_sender->own);
  EXPECT_EQ(multicast_mac(group), (Mac{1, 0, 0x5e, 0x40, 54, 5}));
  EXPECT_EQ(multicast_mac(address("ff05::1:5405", 1)), (Mac{0x33, 0x33, 0, 1, 0x54, 5}));
}

// Whatever is cut off or changed in the headers: refused, or within its bounds.
TEST(Packet, RefusesHeadersThatLie) {
  for (const bool ipv6 : {false, true}) {
    const Bytes good = packet_of(from_hex("00112233445566778899"), ipv6);
    for (std::size_t length = 0; length < good.size(); ++length) {
      EXPECT_FALSE(parse_packet(std::span(good).first(length), at_node_2(ipv6))) << length;
    }
    const std::size_t header = PacketHeader::bytes_of(ipv6, 0);
    for (std::size_t at = 0; at < header; ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes bad = good;
        bad[at] ^= static_cast<std::byte>(1U << bit);
        const auto packet = parse_packet(bad, at_node_2(ipv6));
        if (packet) {
          EXPECT_EQ(packet->frame.size(), 10u) << at;
          EXPECT_EQ(packet->frame.data(), bad.data() + header);
        }
      }
    }
  }
}

}  // namespace
}  // namespace phalanx::transport::dpdk
