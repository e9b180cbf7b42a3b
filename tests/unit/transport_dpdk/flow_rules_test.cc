#include "transport/dpdk/flow_rules.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <string>

namespace phalanx::transport::dpdk {
namespace {

Steer steer(const std::string& host, std::uint16_t port, std::uint16_t queue) {
  const auto to = udp::Address::parse({.host = host, .port = port});
  EXPECT_TRUE(to) << host;
  return {.to = to.value_or(udp::Address()), .queue = queue};
}

// In testpmd's words, so that the same rule can be tried by hand.
TEST(FlowRule, SendsALanesPacketsToItsQueue) {
  EXPECT_EQ(FlowRule(steer("10.77.0.1", 5405, 0)).text(),
            "ingress pattern eth / ipv4 dst is 10.77.0.1 / udp dst is 5405 / end "
            "actions queue index 0 / end");
  EXPECT_EQ(FlowRule(steer("239.192.0.7", 5407, 3)).text(),
            "ingress pattern eth / ipv4 dst is 239.192.0.7 / udp dst is 5407 / end "
            "actions queue index 3 / end");
  EXPECT_EQ(FlowRule(steer("ff05::7068:1", 65535, 1)).text(),
            "ingress pattern eth / ipv6 dst is ff05::7068:1 / udp dst is 65535 / end "
            "actions queue index 1 / end");
}

// A mask that is too wide takes packets of others, one too narrow none.
TEST(FlowRule, ComparesTheWholeAddressAndPortAndNothingElse) {
  const FlowRule rule(steer("10.77.0.1", 5405, 0));

  const auto& ip = *static_cast<const rte_flow_item_ipv4*>(rule.pattern()[1].mask);
  const auto& udp = *static_cast<const rte_flow_item_udp*>(rule.pattern()[2].mask);
  EXPECT_EQ(ip.hdr.dst_addr, 0xffffffffU);
  EXPECT_EQ(ip.hdr.src_addr, 0U);
  EXPECT_EQ(ip.hdr.next_proto_id, 0U);
  EXPECT_EQ(udp.hdr.dst_port, 0xffffU);
  EXPECT_EQ(udp.hdr.src_port, 0U);
  EXPECT_EQ(rule.pattern()[0].spec, nullptr) << "whatever the Ethernet header says";
  EXPECT_EQ(rule.attributes().egress, 0U);
}

TEST(HashOfPackets, PrefersPortsToAddressesAndDoesWithoutEither) {
  const std::uint64_t udp = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
  const std::uint64_t ip = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;

  EXPECT_EQ(hash_of_packets(udp | ip), udp);
  EXPECT_EQ(hash_of_packets(ip | RTE_ETH_RSS_NONFRAG_IPV4_UDP), ip);
  EXPECT_EQ(hash_of_packets(RTE_ETH_RSS_NONFRAG_IPV4_TCP), std::nullopt);
}

}  // namespace
}  // namespace phalanx::transport::dpdk
