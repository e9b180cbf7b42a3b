#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/unit/transport_dpdk/nodes.h"
#include "tests/unit/transport_dpdk/rings.h"
#include "transport/dpdk/eal.h"

namespace phalanx::transport::dpdk {
namespace {

using Kind = Destination::Kind;

struct Options {
  std::string device_1;
  std::string device_2;
  bool ipv6 = false;
  bool multicast = false;
  std::uint32_t mtu = 1500;
};

DpdkConfig config_of(const Options& options, NodeId self) {
  DpdkConfig config{.self = self,
                    .peers = {},
                    .multicast = {},
                    .port = self == 1 ? options.device_1 : options.device_2,
                    .mtu = options.mtu,
                    .memif_directory = {},
                    .eal = {.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()}};
  for (NodeId node = 1; node <= 3; ++node) {
    const std::string host = (options.ipv6 ? "fd00::" : "10.0.0.") + std::to_string(node);
    config.peers.push_back({node, {host, 5405}});
  }
  if (options.multicast) config.multicast = {options.ipv6 ? "ff05::5405" : "239.192.54.5", 5405};
  return config;
}

/// Nodes 1 and 2 at the two ends of a wire; node 3 is configured and not there.
struct Pair {
  explicit Pair(const Options& options) {
    for (NodeId self = 1; self <= 2; ++self) {
      auto opened = open(config_of(options, self));
      EXPECT_TRUE(opened) << opened.error().text();
      if (opened) node[self - 1] = std::move(*opened);
    }
  }
  [[nodiscard]] bool is_open() const { return node[0] != nullptr && node[1] != nullptr; }

  std::unique_ptr<Transport> node[2];
};

/// Takes until `count` frames came, or too long none did.
std::vector<Bytes> take(Transport& at, std::size_t count) {
  std::vector<Bytes> out;
  (void)turn_until([&] {
    for (Bytes& frame : receive(at)) out.push_back(std::move(frame));
    return out.size() >= count;
  });
  return out;
}

void carry_both_ways(const Options& options) {
  Pair pair(options);
  ASSERT_TRUE(pair.is_open());
  const std::size_t longest = pair.node[0]->limits().frame_bytes_max;
  EXPECT_EQ(longest, options.mtu - (options.ipv6 ? 48 : 28));
  const NodeId members[] = {1, 2, 3};
  for (auto& node : pair.node) node->set_members(members);
  const std::vector<Bytes> frames{frame_of(1, longest), frame_of(2, 1), frame_of(3, 200)};

  send(*pair.node[0], frames, {.kind = Kind::Members});
  send(*pair.node[1], frames, {.kind = Kind::Everyone});
  send(*pair.node[1], {frame_of(4, 77)}, {.kind = Kind::Peer, .peer = 1});
  const auto at_2 = take(*pair.node[1], frames.size());
  auto at_1 = take(*pair.node[0], frames.size() + 1);

  EXPECT_EQ(at_2, frames);
  ASSERT_EQ(at_1.size(), frames.size() + 1);
  EXPECT_EQ(at_1.back(), frame_of(4, 77));
  at_1.pop_back();
  EXPECT_EQ(at_1, frames);
  // A copy for each of two peers, or one for the group.
  EXPECT_EQ(pair.node[0]->counters().tx_frames, options.multicast ? 3u : 6u);
}

/// A wire of two rings of DPDK in this process.
class NetRing : public testing::Test {
 protected:
  void SetUp() override {
    const auto started =
        start_eal({.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()});
    ASSERT_TRUE(started) << started.error().text();
    make_ring_pair();
  }
  Options options_{.device_1 = "net_ring_first", .device_2 = "net_ring_second"};
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
    const auto opened = open(config_of(options_, 1));
    ASSERT_FALSE(opened) << device;
    EXPECT_EQ(opened.error().code, ExitCode::Usage);
    EXPECT_NE(opened.error().attempted.find(device), std::string::npos);
    EXPECT_FALSE(opened.error().observed.empty());
    EXPECT_FALSE(opened.error().remedy.empty());
  }
}

/// A veth pair in a network namespace of this thread.
class AfPacket : public testing::Test {
 protected:
  void SetUp() override {
    if (unshare(CLONE_NEWNET) != 0 ||
        std::system("ip link add left mtu 9000 type veth peer name right mtu 9000 && "
                    "ip link set left up && ip link set right up") != 0) {
      GTEST_SKIP() << "needs root, and the command ip";
    }
  }
  static Options between(const std::string& more) {
    return {.device_1 = "net_af_packet_left,iface=left" + more,
            .device_2 = "net_af_packet_right,iface=right" + more};
  }
};

TEST_F(AfPacket, CarriesFramesOverVeth) {
  carry_both_ways(between(""));
  Options group = between("");
  group.multicast = true;
  group.ipv6 = true;
  carry_both_ways(group);
}

TEST_F(AfPacket, CarriesLongFrames) {
  Options options = between(",blocksz=40960,framesz=10240,framecnt=512");
  options.mtu = 9000;
  carry_both_ways(options);
}

TEST_F(AfPacket, RefusesAnMtuOverThePorts) {
  ASSERT_EQ(std::system("ip link set left mtu 1400"), 0);

  const auto opened = open(config_of(between(""), 1));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ExitCode::Usage);
  EXPECT_NE(opened.error().observed.find("1400"), std::string::npos) << opened.error().text();
  EXPECT_NE(opened.error().remedy.find("transport.mtu"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::transport::dpdk
