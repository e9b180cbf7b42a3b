#include "tests/unit/transport_dpdk/rings.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace phalanx::transport::dpdk {

void make_ring_pair() {
  static bool made = false;
  if (made) return;
  made = true;
  rte_ring* there = rte_ring_create("there", 512, SOCKET_ID_ANY, 0);
  rte_ring* back = rte_ring_create("back", 512, SOCKET_ID_ANY, 0);
  if (rte_eth_from_rings("first", &back, 1, &there, 1, 0) < 0 ||
      rte_eth_from_rings("second", &there, 1, &back, 1, 0) < 0) {
    std::abort();
  }
}

void make_wide_ring_pair(const std::string& name, bool crossed) {
  const auto ring = [&](const char* end) {
    return rte_ring_create((name + end).c_str(), 512, SOCKET_ID_ANY, 0);
  };
  std::array<rte_ring*, 2> there{ring("_there0"), ring("_there1")};
  std::array<rte_ring*, 2> back{ring("_back0"), ring("_back1")};
  const bool made =
      rte_eth_from_rings((name + "_first").c_str(), back.data(), 2, there.data(), 2, 0) >= 0;
  if (crossed) {
    std::swap(there[0], there[1]);
    std::swap(back[0], back[1]);
  }
  if (!made ||
      rte_eth_from_rings((name + "_second").c_str(), there.data(), 2, back.data(), 2, 0) < 0) {
    std::abort();
  }
}

Mac mac_of_port(const std::string& name) {
  std::uint16_t number = 0;
  rte_ether_addr address{};
  rte_eth_dev_get_port_by_name(name.c_str(), &number);
  rte_eth_macaddr_get(number, &address);
  Mac out;
  std::memcpy(out.data(), address.addr_bytes, out.size());
  return out;
}

Mac destination_of(const RxFrame& frame) {
  Mac out;
  std::memcpy(out.data(), rte_pktmbuf_mtod(static_cast<rte_mbuf*>(frame.cookie), const void*),
              out.size());
  return out;
}

}  // namespace phalanx::transport::dpdk
