#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/dpdk/eal_arguments.h"
#include "transport/transport.h"
#include "transport/udp/udp_transport.h"

namespace phalanx::transport::dpdk {

struct DpdkConfig {
  NodeId self = 0;
  std::vector<udp::Peer> peers;            ///< Every configured node, `self` among them.
  std::optional<udp::Endpoint> multicast;  ///< Without it every peer gets a copy.
  std::string port;                        ///< "memif", a PCI address, or devargs.
  std::string key = "transport.port";      ///< Where the configuration says so: for errors.
  /// What further transports of this process will open: EAL hears of all devices at its start.
  std::vector<std::string> other_ports;
  std::uint32_t mtu = 1500;
  std::uint16_t vlan = 0;       ///< Not with memif. 0: packets carry no tag.
  std::string memif_directory;  ///< Where the nodes of this host meet.
  std::size_t workers = 1;
  /// NUMA node that each worker's packets are to lie on; shorter than `workers`: wherever.
  std::vector<std::optional<std::uint32_t>> memory_nodes;
  EalOptions eal;  ///< `pci` follows from the ports.
};

/// Starts EAL and opens the port, with a transport for each worker: over a device, a pair of its
/// queues; over memif, a mesh of its own. Everything is made here; afterwards the calls of the
/// transports do no system call, allocation or lock, but for the first rx_burst(), which makes its
/// thread known to DPDK, counters(), which may ask the device, and wakes of another worker that
/// sleeps. Nothing stays behind when it fails.
[[nodiscard]] Expected<Transports, Error> open(const DpdkConfig& config);

}  // namespace phalanx::transport::dpdk
