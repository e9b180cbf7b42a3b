#pragma once

#include <cstdint>
#include <memory>
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
  std::uint32_t mtu = 1500;
  std::uint16_t vlan = 0;       ///< Not with memif. 0: packets carry no tag.
  std::string memif_directory;  ///< Where the nodes of this host meet.
  EalOptions eal;               ///< `pci` follows from `port`.
};

/// Starts EAL and opens the port. Everything is made here; afterwards the calls of the transport do
/// no system call, allocation or lock, but for the first rx_burst(), which makes its thread known
/// to DPDK, and counters(), which may ask the device. Nothing stays behind when it fails.
[[nodiscard]] Expected<std::unique_ptr<Transport>, Error> open(const DpdkConfig& config);

}  // namespace phalanx::transport::dpdk
