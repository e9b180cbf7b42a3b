#include "transport/dpdk/dpdk_transport.h"

#include <utility>

#include "ipc/base/memory_node.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/ethernet_transport.h"
#include "transport/dpdk/memif_transport.h"
#include "transport/dpdk/pci_device.h"

namespace phalanx::transport::dpdk {

namespace {

/// Each worker's nodes meet in a directory of their own, the first one's without a number.
Expected<Transports, Error> open_meshes(const DpdkConfig& config) {
  Transports out;
  for (std::size_t worker = 0; worker < config.workers; ++worker) {
    const std::string number = std::to_string(worker);
    MemifOptions memif{.self = config.self,
                       .nodes = {},
                       .directory = config.memif_directory + (worker == 0 ? "" : "+" + number),
                       .frame_bytes = config.mtu,
                       .label = worker == 0 ? "" : "w" + number + "_"};
    for (const udp::Peer& peer : config.peers) memif.nodes.push_back(peer.node);
    const PreferNode prefer(worker < config.memory_nodes.size() ? config.memory_nodes[worker]
                                                                : std::nullopt);
    auto opened = open_memif(memif);
    if (!opened) return fail(std::move(opened.error()));
    out.push_back(std::move(*opened));
  }
  return out;
}

}  // namespace

Expected<Transports, Error> open(const DpdkConfig& config) {
  EalOptions eal = config.eal;
  std::string device = config.port;
  if (is_pci_address(device)) {
    device = with_domain(device);
    if (auto ready = check_pci_device(device, config.key); !ready) {
      return fail(std::move(ready.error()));
    }
    eal.pci.push_back(device);
  }
  // They are checked when they are opened, under the name of their own key.
  for (const std::string& port : config.other_ports) {
    if (is_pci_address(port)) eal.pci.push_back(with_domain(port));
  }
  if (auto started = start_eal(eal); !started) return fail(std::move(started.error()));
  if (device == "memif") return open_meshes(config);
  return open_ethernet({.self = config.self,
                        .device = device,
                        .peers = config.peers,
                        .multicast = config.multicast,
                        .mtu = config.mtu,
                        .vlan = config.vlan,
                        .key = config.key,
                        .workers = config.workers,
                        .memory_nodes = config.memory_nodes});
}

}  // namespace phalanx::transport::dpdk
