#include "transport/dpdk/gapless_pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include <bit>
#include <cerrno>

namespace phalanx::transport::dpdk {
namespace {

void free_zone(rte_mempool_memhdr*, void* zone) {
  rte_memzone_free(static_cast<const rte_memzone*>(zone));
}

/// Mbufs of a power of two, from an address that is a multiple of it on, cross no page. Returns an
/// errno.
int populate(rte_mempool* pool, std::uint32_t mbuf_bytes, int socket) {
  std::size_t page_bytes = 0;
  rte_mempool_get_page_size(pool, &page_bytes);
  const std::size_t bytes = std::size_t{pool->size} * mbuf_bytes;
  const rte_memzone* zone = rte_memzone_reserve_aligned(pool->name, bytes, socket, 0, mbuf_bytes);
  if (zone == nullptr) return rte_errno;
  const int populated =
      rte_mempool_populate_virt(pool, static_cast<char*>(zone->addr), bytes, page_bytes, &free_zone,
                                const_cast<rte_memzone*>(zone));
  if (populated <= 0) rte_memzone_free(zone);
  if (populated < 0) return -populated;
  return pool->nb_mem_chunks == 1 && pool->populated_size == pool->size ? 0 : ENOMEM;
}

}  // namespace

rte_mempool* make_gapless_pool(const std::string& name, unsigned frames, unsigned cache,
                               std::uint16_t room, int socket) {
  // DPDK would make them a little longer, so that they spread over channels of memory.
  constexpr unsigned kFlags = RTE_MEMPOOL_F_NO_SPREAD;
  rte_mempool_objsz parts{};
  const std::uint32_t least = rte_mempool_calc_obj_size(sizeof(rte_mbuf) + room, kFlags, &parts);
  const std::uint32_t mbuf_bytes = std::bit_ceil(least);
  const std::uint32_t element = mbuf_bytes - parts.header_size - parts.trailer_size;
  rte_mempool* pool = rte_mempool_create_empty(name.c_str(), frames, element, cache,
                                               sizeof(rte_pktmbuf_pool_private), socket, kFlags);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_private about{};
  about.mbuf_data_room_size = static_cast<std::uint16_t>(element - sizeof(rte_mbuf));
  rte_pktmbuf_pool_init(pool, &about);
  int failed = -rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
  if (failed == 0) failed = populate(pool, mbuf_bytes, socket);
  if (failed != 0) {
    rte_mempool_free(pool);
    rte_errno = failed;
    return nullptr;
  }
  rte_mempool_obj_iter(pool, &rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace phalanx::transport::dpdk
