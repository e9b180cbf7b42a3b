#include "transport/dpdk/dpdk_transport.h"

#include <utility>

#include "transport/dpdk/eal.h"
#include "transport/dpdk/ethernet_transport.h"
#include "transport/dpdk/memif_transport.h"

namespace phalanx::transport::dpdk {

Expected<std::unique_ptr<Transport>, Error> open(const DpdkConfig& config) {
  EalOptions eal = config.eal;
  if (is_pci_address(config.port)) eal.pci = config.port;
  if (auto started = start_eal(eal); !started) return fail(std::move(started.error()));
  if (config.port != "memif") {
    return open_ethernet({.self = config.self,
                          .device = config.port,
                          .peers = config.peers,
                          .multicast = config.multicast,
                          .mtu = config.mtu});
  }
  MemifOptions memif{.self = config.self,
                     .nodes = {},
                     .directory = config.memif_directory,
                     .frame_bytes = config.mtu};
  for (const udp::Peer& peer : config.peers) memif.nodes.push_back(peer.node);
  return open_memif(memif);
}

}  // namespace phalanx::transport::dpdk
