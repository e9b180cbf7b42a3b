#pragma once

#include <string>

#include "transport/dpdk/packet.h"
#include "transport/transport.h"

namespace phalanx::transport::dpdk {

/// Makes the ports net_ring_first and net_ring_second, once: what one sends, the other receives.
void make_ring_pair();

/// The same with two queues each, net_ring_NAME_first and net_ring_NAME_second. `crossed`: what is
/// sent from one queue comes out of the other one.
void make_wide_ring_pair(const std::string& name, bool crossed);

[[nodiscard]] Mac mac_of_port(const std::string& name);
/// Where the packet that holds a received frame was addressed to.
[[nodiscard]] Mac destination_of(const RxFrame& frame);

}  // namespace phalanx::transport::dpdk
