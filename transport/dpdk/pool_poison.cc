#include "transport/dpdk/pool_poison.h"

#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <vector>

#include "ipc/base/assert.h"

#if defined(__has_include)
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace phalanx::transport::dpdk {
namespace {

constexpr const char* kName = "phalanx_poison";

/// Where the free mbufs of a pool lie. The one freed first is lent first, so that whoever still
/// holds it is found out for as long as can be.
struct Shelf {
  std::mutex mutex;
  std::vector<void*> mbufs;
  bool poisons = false;
};

Shelf& shelf_of(const rte_mempool* pool) { return *static_cast<Shelf*>(pool->pool_data); }

void poison(void* object, std::uint32_t bytes) {
  const auto* mbuf = static_cast<const rte_mbuf*>(object);
  ASAN_POISON_MEMORY_REGION(mbuf->buf_addr, mbuf->buf_len);
  ASAN_POISON_MEMORY_REGION(object, bytes);
}

void unpoison(void* object, std::uint32_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(object, bytes);
  const auto* mbuf = static_cast<const rte_mbuf*>(object);
  ASAN_UNPOISON_MEMORY_REGION(mbuf->buf_addr, mbuf->buf_len);
}

int make(rte_mempool* pool) {
  pool->pool_data = new Shelf;
  return 0;
}

void destroy(rte_mempool* pool) {
  Shelf& shelf = shelf_of(pool);
  if (shelf.poisons) {
    for (void* mbuf : shelf.mbufs) unpoison(mbuf, pool->elt_size);
  }
  delete &shelf;
}

int put(rte_mempool* pool, void* const* mbufs, unsigned count) {
  Shelf& shelf = shelf_of(pool);
  const std::lock_guard lock(shelf.mutex);
  for (unsigned i = 0; i < count; ++i) {
    if (shelf.poisons) poison(mbufs[i], pool->elt_size);
    shelf.mbufs.push_back(mbufs[i]);
  }
  return 0;
}

int get(rte_mempool* pool, void** mbufs, unsigned count) {
  Shelf& shelf = shelf_of(pool);
  const std::lock_guard lock(shelf.mutex);
  if (shelf.mbufs.size() < count) return -ENOBUFS;
  std::copy_n(shelf.mbufs.begin(), count, mbufs);
  shelf.mbufs.erase(shelf.mbufs.begin(), shelf.mbufs.begin() + count);
  if (shelf.poisons) {
    for (unsigned i = 0; i < count; ++i) unpoison(mbufs[i], pool->elt_size);
  }
  return 0;
}

unsigned count(const rte_mempool* pool) {
  Shelf& shelf = shelf_of(pool);
  const std::lock_guard lock(shelf.mutex);
  return static_cast<unsigned>(shelf.mbufs.size());
}

}  // namespace

void poison_next_pools() {
  static const bool registered = [] {
    rte_mempool_ops ops{};
    std::copy_n(kName, std::char_traits<char>::length(kName), ops.name);
    ops.alloc = &make;
    ops.free = &destroy;
    ops.enqueue = &put;
    ops.dequeue = &get;
    ops.get_count = &count;
    return rte_mempool_register_ops(&ops) >= 0 && rte_mbuf_set_user_mempool_ops(kName) == 0;
  }();
  PHX_CHECK(registered);
}

void start_poisoning(rte_mempool* pool) {
  Shelf& shelf = shelf_of(pool);
  const std::lock_guard lock(shelf.mutex);
  shelf.poisons = true;
  for (void* mbuf : shelf.mbufs) poison(mbuf, pool->elt_size);
}

}  // namespace phalanx::transport::dpdk
