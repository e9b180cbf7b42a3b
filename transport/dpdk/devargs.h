#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace phalanx::transport::dpdk {

/// The number behind "NAME=" in devargs, or 0.
[[nodiscard]] std::uint32_t device_number(const std::string& device, const std::string& name);

/// Devargs with what the driver needs for packets of `mtu` bytes. af_packet's rings hold frames of
/// 2048 bytes unless told otherwise, and lose longer packets without a word; `framesz`, `blocksz`
/// and `framecnt` that are in `device` stay as they are. af_packet and af_xdp are told how many
/// queues they are to have, if more than one and nothing is said.
[[nodiscard]] std::string completed_devargs(const std::string& device, std::uint32_t mtu,
                                            std::size_t queues);

}  // namespace phalanx::transport::dpdk
