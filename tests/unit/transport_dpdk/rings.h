#pragma once

#include <string>

#include "transport/dpdk/packet.h"
#include "transport/transport.h"

namespace phalanx::transport::dpdk {

/// Makes the ports net_ring_first and net_ring_second, once: what one sends, the other receives.
void make_ring_pair();

[[nodiscard]] Mac mac_of_port(const std::string& name);
/// Where the packet that holds a received frame was addressed to.
[[nodiscard]] Mac destination_of(const RxFrame& frame);

}  // namespace phalanx::transport::dpdk
