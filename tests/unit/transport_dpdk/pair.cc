#include "tests/unit/transport_dpdk/pair.h"

#include <gtest/gtest.h>

namespace phalanx::transport::dpdk {
namespace {

using Kind = Destination::Kind;

}  // namespace

DpdkConfig pair_config(const PairOptions& options, NodeId self) {
  DpdkConfig config{.self = self,
                    .peers = {},
                    .multicast = {},
                    .port = self == 1 ? options.device_1 : options.device_2,
                    .mtu = options.mtu,
                    .vlan = self == 1 ? options.vlan_1 : options.vlan_2,
                    .memif_directory = {},
                    .workers = options.workers,
                    .eal = {.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()}};
  for (NodeId node = 1; node <= 3; ++node) {
    const std::string host = (options.ipv6 ? "fd00::" : "10.0.0.") + std::to_string(node);
    config.peers.push_back({node, {host, 5405}});
  }
  if (options.multicast) config.multicast = {options.ipv6 ? "ff05::5405" : "239.192.54.5", 5405};
  return config;
}

Pair::Pair(const PairOptions& options) {
  for (NodeId self = 1; self <= 2; ++self) {
    auto opened = open(pair_config(options, self));
    EXPECT_TRUE(opened) << opened.error().text();
    if (!opened) continue;
    workers[self - 1] = std::move(*opened);
    node[self - 1] = workers[self - 1].front().get();
  }
}

std::vector<Bytes> take(Transport& at, std::size_t count) {
  std::vector<Bytes> out;
  (void)turn_until([&] {
    for (Bytes& frame : receive(at)) out.push_back(std::move(frame));
    return out.size() >= count;
  });
  return out;
}

void carry_both_ways(const PairOptions& options) {
  Pair pair(options);
  ASSERT_TRUE(pair.is_open());
  const std::size_t longest = pair.node[0]->limits().frame_bytes_max;
  EXPECT_EQ(longest, options.mtu - (options.ipv6 ? 48 : 28));
  const NodeId members[] = {1, 2, 3};
  for (Transport* node : pair.node) node->set_members(members);
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

}  // namespace phalanx::transport::dpdk
