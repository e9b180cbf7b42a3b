#include "transport/dpdk/dpdk_transport.h"

#include <utility>

#include "transport/dpdk/eal.h"
#include "transport/dpdk/memif_transport.h"

namespace phalanx::transport::dpdk {

Expected<std::unique_ptr<Transport>, Error> open(const DpdkConfig& config) {
  EalOptions eal = config.eal;
  if (is_pci_address(config.port)) eal.pci = config.port;
  if (auto started = start_eal(eal); !started) return fail(std::move(started.error()));
  return open_memif({.self = config.self,
                     .nodes = config.nodes,
                     .directory = config.memif_directory,
                     .frame_bytes = config.mtu});
}

}  // namespace phalanx::transport::dpdk
