#pragma once

#include <cstdint>
#include <string>

namespace phalanx::transport::dpdk {

/// The kernel's interface that a software device stands on ("net_af_packet0,iface=eth1"), or "".
[[nodiscard]] std::string interface_of(const std::string& device);

/// What it will carry, which the drivers do not know; 0: there is no such interface.
[[nodiscard]] std::uint16_t interface_mtu(const std::string& interface) noexcept;

/// Receive queues that it has now; 0: its driver does not tell.
[[nodiscard]] std::uint32_t interface_queues(const std::string& interface) noexcept;

}  // namespace phalanx::transport::dpdk
