#pragma once

#include <cstddef>
#include <vector>

namespace phalanx::transport::dpdk {

/// The descriptors of this process that are sockets of AF_PACKET or AF_XDP, sorted. The drivers
/// that stand on such a socket for each queue do not tell which: those that were not there before.
[[nodiscard]] std::vector<int> packet_sockets();

/// Those that are in `now` and were not in `before`, in the order in which they were made; none
/// when they are not exactly `count`.
[[nodiscard]] std::vector<int> new_ones(const std::vector<int>& before, const std::vector<int>& now,
                                        std::size_t count);

}  // namespace phalanx::transport::dpdk
