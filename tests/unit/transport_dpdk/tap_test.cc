#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "ipc/base/fd.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/flow_rules.h"
#include "transport/dpdk/packet.h"

namespace phalanx::transport::dpdk {
namespace {

constexpr std::uint16_t kQueues = 2;
constexpr int kPackets = 20;

Steer steer(const char* host, std::uint16_t port, std::uint16_t queue) {
  return {.to = udp::Address::parse({.host = host, .port = port}).value_or(udp::Address()),
          .queue = queue};
}

/// A port of several queues to which the kernel sends: net_tap turns rte_flow's rules into those of
/// the kernel's tc, which few kernels of test machines have. PHX_TEST_TAP says that this one does.
class Tap : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("PHX_TEST_TAP") == nullptr) GTEST_SKIP() << "runs in tests/vm";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
    ASSERT_TRUE(start_eal({.instance = "tap", .cpu = {}, .pci = {}, .extra = "--no-huge -m 64"}));
    ASSERT_EQ(rte_dev_probe("net_tap_lanes,iface=lanes"), 0);
    ASSERT_EQ(rte_eth_dev_get_port_by_name("net_tap_lanes", &port_), 0);
    pool_ = rte_pktmbuf_pool_create("tap", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(pool_, nullptr);
    const rte_eth_conf conf{};
    ASSERT_EQ(rte_eth_dev_configure(port_, kQueues, kQueues, &conf), 0);
    for (std::uint16_t queue = 0; queue < kQueues; ++queue) {
      ASSERT_EQ(rte_eth_rx_queue_setup(port_, queue, 128, 0, nullptr, pool_), 0);
      ASSERT_EQ(rte_eth_tx_queue_setup(port_, queue, 128, 0, nullptr), 0);
    }
    ASSERT_EQ(rte_eth_dev_start(port_), 0);
    ASSERT_EQ(std::system("ip addr add 10.77.0.9/24 dev lanes && ip link set lanes up && "
                          "ip route add 224.0.0.0/4 dev lanes && "
                          "ip neigh add 10.77.0.1 lladdr 02:00:00:00:00:01 dev lanes"),
              0);
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(port_, &info);
    rte_eth_dev_stop(port_);
    rte_eth_dev_close(port_);
    rte_dev_remove(info.device);
    rte_mempool_free(pool_);
  }

  static void say(const Steer& to) {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (int i = 0; i < kPackets; ++i) {
      ASSERT_EQ(sendto(socket.get(), "lane", 4, 0, to.to.get(), to.to.length()), 4);
    }
  }

  /// How many packets to that address and port each queue got.
  std::vector<int> heard(const Steer& to) const {
    std::vector<int> count(kQueues);
    for (int tries = 0; tries < 2000 && count[0] + count[1] < kPackets; ++tries) {
      for (std::uint16_t queue = 0; queue < kQueues; ++queue) {
        rte_mbuf* mbuf = nullptr;
        if (rte_eth_rx_burst(port_, queue, &mbuf, 1) != 1) continue;
        const std::span bytes(rte_pktmbuf_mtod(mbuf, const std::byte*), mbuf->data_len);
        if (parse_packet(bytes, {.self = to.to, .group = to.to})) ++count[queue];
        rte_pktmbuf_free(mbuf);
      }
      sched_yield();
    }
    return count;
  }

  std::uint16_t port_ = 0;
  rte_mempool* pool_ = nullptr;
};

TEST_F(Tap, EachLanesPacketsComeToItsQueue) {
  const std::vector<Steer> steers{steer("10.77.0.1", 5405, 0), steer("239.192.0.7", 5407, 1)};

  const Steered steered = steer_packets(port_, steers);

  ASSERT_FALSE(steered.refused) << *steered.refused;
  EXPECT_EQ(steered.rules.size(), steers.size());
  for (const Steer& to : steers) {
    say(to);
    const std::vector<int> count = heard(to);
    EXPECT_EQ(count[to.queue], kPackets) << to.to.text();
    EXPECT_EQ(count[1U - to.queue], 0) << to.to.text();
  }
}

// All or nothing: half the lanes on their queues and half anywhere would look like loss.
TEST_F(Tap, ARuleThatIsRefusedLeavesNone) {
  const std::vector<Steer> steers{steer("10.77.0.1", 5405, 0), steer("10.77.0.1", 5406, 99)};

  const Steered steered = steer_packets(port_, steers);

  ASSERT_TRUE(steered.refused);
  EXPECT_NE(steered.refused->find("queue index"), std::string::npos) << *steered.refused;
  EXPECT_TRUE(steered.rules.empty());
}

}  // namespace
}  // namespace phalanx::transport::dpdk
