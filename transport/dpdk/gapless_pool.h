#pragma once

#include <cstdint>
#include <string>

struct rte_mempool;

namespace phalanx::transport::dpdk {

/// A pool of mbufs, their frames beside them, in one piece of DPDK's memory without gaps; nullptr:
/// see rte_errno. What DPDK makes by itself leaves a gap wherever an mbuf would cross a page.
///
/// The af_xdp driver (DPDK 22.11) lends the kernel as many bytes as the mbufs take together, from
/// the first one on: of a pool with gaps the last mbufs lie outside, and the kernel throws away,
/// counted as invalid and never given back, what is sent from them. With pages of 4 KiB that are
/// two in five. So the mbufs here take a power of two each. Cold.
[[nodiscard]] rte_mempool* make_gapless_pool(const std::string& name, unsigned frames,
                                             unsigned cache, std::uint16_t room, int socket);

}  // namespace phalanx::transport::dpdk
