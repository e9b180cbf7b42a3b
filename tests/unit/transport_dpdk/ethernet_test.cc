#include <gtest/gtest.h>
#include "tests/unit/transport_dpdk/nodes.h"
#include "tests/unit/transport_dpdk/pair.h"
#include "tests/unit/transport_dpdk/rings.h"
#include "transport/dpdk/eal.h"

namespace phalanx::transport::dpdk {
namespace {

using Kind = Destination::Kind;

/// A wire of two rings of DPDK in this process.
class NetRing : public testing::Test {
 protected:
  void SetUp() override {
    const auto started =
        start_eal({.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()});
    ASSERT_TRUE(started) << started.error().text();
    make_ring_pair();
  }
  PairOptions options_{.device_1 = "net_ring_first", .device_2 = "net_ring_second"};
};

TEST_F(NetRing, CarriesIpv4ToEachPeer) { carry_both_ways(options_); }

TEST_F(NetRing, CarriesIpv6ToEachPeer) {
  options_.ipv6 = true;
  carry_both_ways(options_);
}

TEST_F(NetRing, CarriesOneCopyToAGroup) {
  options_.multicast = true;
  carry_both_ways(options_);
  options_.ipv6 = true;
  carry_both_ways(options_);
}

TEST_F(NetRing, RefusesPacketsOfOthersAndCountsThem) {
  Pair pair(options_);
  ASSERT_TRUE(pair.is_open());

  send(*pair.node[0], {frame_of(1, 100)}, {.kind = Kind::Peer, .peer = 3});
  send(*pair.node[0], {frame_of(2, 100)}, {.kind = Kind::Peer, .peer = 2});

  EXPECT_EQ(take(*pair.node[1], 1), std::vector<Bytes>{frame_of(2, 100)});
  EXPECT_EQ(pair.node[1]->counters().rx_refused, 1u);
}

// What others send on the segment must not make a full ring look empty: the worker would sleep.
TEST_F(NetRing, FindsItsFrameBehindManyOfOthersInOneLook) {
  Pair pair(options_);
  ASSERT_TRUE(pair.is_open());
  const std::vector<Bytes> burst(50, frame_of(1, 100));
  for (int i = 0; i < 9; ++i) {
    send(*pair.node[0], burst, {.kind = Kind::Peer, .peer = 3});
  }
  send(*pair.node[0], {frame_of(2, 100)}, {.kind = Kind::Peer, .peer = 2});

  EXPECT_EQ(receive(*pair.node[1]), std::vector<Bytes>{frame_of(2, 100)});
  EXPECT_EQ(pair.node[1]->counters().rx_refused, 450u);
}

// Until a frame of a peer was found authentic, it gets broadcasts; then its own address.
TEST_F(NetRing, LearnsAPeersAddressFromAuthenticFramesOnly) {
  Pair pair(options_);
  ASSERT_TRUE(pair.is_open());
  const auto destination = [&] {
    send(*pair.node[1], {frame_of(1, 100)}, {.kind = Kind::Peer, .peer = 1});
    RxFrame frame;
    (void)turn_until([&] { return pair.node[0]->rx_burst({&frame, 1}) == 1; });
    const auto mac = destination_of(frame);
    pair.node[0]->rx_release({&frame, 1});
    return mac;
  };
  send(*pair.node[0], {frame_of(1, 100)}, {.kind = Kind::Peer, .peer = 2});
  RxFrame frame;
  ASSERT_TRUE(turn_until([&] { return pair.node[1]->rx_burst({&frame, 1}) == 1; }));

  EXPECT_EQ(destination(), kBroadcastMac);
  pair.node[1]->authenticated(1, frame);
  pair.node[1]->rx_release({&frame, 1});
  EXPECT_EQ(destination(), mac_of_port("net_ring_first"));
}

TEST_F(NetRing, BuffersDoNotRunOut) {
  Pair pair(options_);
  ASSERT_TRUE(pair.is_open());
  const std::vector<Bytes> burst(64, frame_of(1, 900));

  for (int i = 0; i < 500; ++i) send(*pair.node[0], burst, {.kind = Kind::Everyone});
  while (!receive(*pair.node[1]).empty()) {
  }
  send(*pair.node[0], {frame_of(7, 10)}, {.kind = Kind::Peer, .peer = 2});

  EXPECT_EQ(take(*pair.node[1], 1), std::vector<Bytes>{frame_of(7, 10)});
  EXPECT_GT(pair.node[0]->counters().tx_refused, 0u);
}

TEST_F(NetRing, RefusesDevicesThatAreNotThere) {
  for (const std::string device :
       {"net_no_such_driver0", "0000:99:1f.7", "net_af_packet9,iface=no0"}) {
    options_.device_1 = device;
    const auto opened = open(pair_config(options_, 1));
    ASSERT_FALSE(opened) << device;
    EXPECT_EQ(opened.error().code, ExitCode::Usage);
    EXPECT_NE(opened.error().attempted.find(device), std::string::npos);
    EXPECT_FALSE(opened.error().observed.empty());
    EXPECT_FALSE(opened.error().remedy.empty());
  }
}

}  // namespace
}  // namespace phalanx::transport::dpdk
