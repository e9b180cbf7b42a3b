#pragma once

#include <vector>

namespace phalanx::transport::dpdk {

/// The descriptors of this process that are sockets of AF_PACKET or AF_XDP, sorted. The drivers
/// that stand on such a socket do not tell which: it is the one that was not there before.
[[nodiscard]] std::vector<int> packet_sockets();

/// The one that is in `now` and was not in `before`; -1 when it is not exactly one.
[[nodiscard]] int only_new(const std::vector<int>& before, const std::vector<int>& now);

}  // namespace phalanx::transport::dpdk
