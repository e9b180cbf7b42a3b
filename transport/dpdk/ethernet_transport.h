#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/transport.h"
#include "transport/udp/udp_transport.h"

namespace phalanx::transport::dpdk {

struct EthernetOptions {
  NodeId self = 0;
  std::string device;            ///< "0000:3b:00.0", "net_af_packet0,iface=eth1".
  std::vector<udp::Peer> peers;  ///< Every configured node, `self` among them.
  std::optional<udp::Endpoint> multicast;
  std::uint32_t mtu = 1500;            ///< IP packet bytes.
  std::uint16_t vlan = 0;              ///< Of every packet, 1 to 4094; 0: no tag.
  std::string key = "transport.port";  ///< As PortOptions'.
  std::size_t workers = 1;  ///< Each has a pair of queues and, on every node, a port of its own.
  std::vector<std::optional<std::uint32_t>> memory_nodes;  ///< As DpdkConfig's.
};

/// One Ethernet port that reaches all nodes: UDP over IPv4 or IPv6, to a multicast group, or a copy
/// for each peer. A peer's MAC address is learnt from frames that were found authentic; until then
/// it gets broadcasts. Nothing answers ARP here and nothing asks. EAL must run.
///
/// A transport for each worker, which talks to the same worker of other nodes. Rules in the card
/// bring it what is for it (flow_rules.h); where the card takes none, packets come to some worker,
/// by a hash or all to the first, and it hands them over.
[[nodiscard]] Expected<Transports, Error> open_ethernet(const EthernetOptions& options);

}  // namespace phalanx::transport::dpdk
