#include "transport/dpdk/membership_report.h"

#include <gtest/gtest.h>

#include <string>

namespace phalanx::transport::dpdk {
namespace {

constexpr Mac kMac = {0x02, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5};

std::string report(const std::string& self, const std::string& group, VlanId vlan = 0) {
  const MembershipReport made(kMac, *udp::Address::parse({self, 5405}),
                              *udp::Address::parse({group, 5405}), vlan);
  std::string hex;
  for (const std::byte byte : made.packet()) {
    constexpr const char* kDigits = "0123456789abcdef";
    hex += kDigits[std::to_integer<unsigned>(byte) >> 4];
    hex += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return hex;
}

// The bytes were made by another implementation (python3, struct and its own checksums) by the
// drawings of RFC 3376 and RFC 3810.
TEST(MembershipReport, IsAnIgmpv3JoinPaddedToAPacket) {
  EXPECT_EQ(report("10.0.0.7", "239.192.54.5"),
            "01005e00001602a1b2c3d4e50800"
            "46c00028000040000102f9f20a000007e000001694040000"
            "2200b4380000000104000000efc03605"
            "000000000000");
}

TEST(MembershipReport, CarriesTheTagOfItsVirtualLan) {
  EXPECT_EQ(report("10.0.0.7", "239.192.54.5", 77),
            "01005e00001602a1b2c3d4e58100004d0800"
            "46c00028000040000102f9f20a000007e000001694040000"
            "2200b4380000000104000000efc03605"
            "0000");
}

TEST(MembershipReport, IsAnMldv2JoinFromALinkLocalAddressMadeOfTheMac) {
  EXPECT_EQ(report("fd00::7", "ff05::5405"),
            "33330000001602a1b2c3d4e586dd"
            "6000000000240001fe8000000000000000a1b2fffec3d4e5ff020000000000000000000000000016"
            "3a00050200000100"
            "8f0094b80000000104000000ff050000000000000000000000005405");
}

TEST(MembershipReport, ComesFromTheNodesAddressWhereThatIsLinkLocal) {
  EXPECT_EQ(report("fe80::7", "ff05::5405"),
            "33330000001602a1b2c3d4e586dd"
            "6000000000240001fe800000000000000000000000000007ff020000000000000000000000000016"
            "3a00050200000100"
            "8f001bfc0000000104000000ff050000000000000000000000005405");
}

}  // namespace
}  // namespace phalanx::transport::dpdk
