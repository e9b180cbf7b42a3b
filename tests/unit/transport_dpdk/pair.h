#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/transport_dpdk/nodes.h"

namespace phalanx::transport::dpdk {

struct PairOptions {
  std::string device_1;
  std::string device_2;
  bool ipv6 = false;
  bool multicast = false;
  std::uint32_t mtu = 1500;
  std::uint16_t vlan_1 = 0;  ///< Of node 1's packets.
  std::uint16_t vlan_2 = 0;
  std::size_t workers = 1;
};

[[nodiscard]] DpdkConfig pair_config(const PairOptions& options, NodeId self);

/// Nodes 1 and 2 at the two ends of a wire; node 3 is configured and not there.
struct Pair {
  explicit Pair(const PairOptions& options);
  [[nodiscard]] bool is_open() const { return node[0] != nullptr && node[1] != nullptr; }

  Transports workers[2];                    ///< Of each node, all of them,
  Transport* node[2] = {nullptr, nullptr};  ///< and its first.
};

/// Takes until `count` frames came, or too long none did.
[[nodiscard]] std::vector<Bytes> take(Transport& at, std::size_t count);

/// Opens a pair and sends short and long frames to members, everyone and a peer.
void carry_both_ways(const PairOptions& options);

}  // namespace phalanx::transport::dpdk
