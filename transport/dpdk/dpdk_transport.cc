#include "transport/dpdk/dpdk_transport.h"

#include <utility>

#include "transport/dpdk/eal.h"
#include "transport/dpdk/ethernet_transport.h"
#include "transport/dpdk/memif_transport.h"
#include "transport/dpdk/pci_device.h"

namespace phalanx::transport::dpdk {

Expected<std::unique_ptr<Transport>, Error> open(const DpdkConfig& config) {
  EalOptions eal = config.eal;
  const bool pci = is_pci_address(config.port);
  const std::string device = pci ? with_domain(config.port) : config.port;
  if (pci) {
    if (auto ready = check_pci_device(device); !ready) return fail(std::move(ready.error()));
    eal.pci = device;
  }
  if (auto started = start_eal(eal); !started) return fail(std::move(started.error()));
  if (device != "memif") {
    return open_ethernet({.self = config.self,
                          .device = device,
                          .peers = config.peers,
                          .multicast = config.multicast,
                          .mtu = config.mtu,
                          .vlan = config.vlan});
  }
  MemifOptions memif{.self = config.self,
                     .nodes = {},
                     .directory = config.memif_directory,
                     .frame_bytes = config.mtu};
  for (const udp::Peer& peer : config.peers) memif.nodes.push_back(peer.node);
  return open_memif(memif);
}

}  // namespace phalanx::transport::dpdk
