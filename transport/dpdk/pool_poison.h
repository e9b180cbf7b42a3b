#pragma once

struct rte_mempool;

namespace phalanx::transport::dpdk {

/// Under AddressSanitizer, which knows nothing of mbufs: an mbuf that lies in its pool may not be
/// touched, neither its header nor its data. In other builds nothing of this happens, and pools
/// have their caches.
[[nodiscard]] constexpr bool poisons_pools() noexcept {
#if defined(__SANITIZE_ADDRESS__)
  return true;
#elif defined(__has_feature)
  return __has_feature(address_sanitizer);
#else
  return false;
#endif
}

/// Before a pool is made: the next ones are kept so. They must have no caches per thread.
void poison_next_pools();
/// Once all mbufs lie in the pool and have been initialised: from here on they are poisoned there.
void start_poisoning(rte_mempool* pool);

}  // namespace phalanx::transport::dpdk
