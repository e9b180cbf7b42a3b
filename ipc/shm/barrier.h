#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace phalanx::shm {

/// Who publishes and then looks at the other's sleeping flag needs a full fence between: it waits
/// for the cache line that the other side polls, some 100 ns a message. Where the kernel has
/// membarrier() (4.16), who goes to sleep pays instead: between setting its flag and its last look
/// it has every running thread of the other process pass a fence, and publishing is a plain store.
///
/// It is not for sides that sleep at once: the fence of a thread that just wakes costs
/// microseconds. Who publishes with a plain store has to have registered, and to know that the
/// other side makes barriers. Who only believes to have registered misses its own wakes, nobody
/// else's.

/// Whether this kernel can have other processes pass a fence.
[[nodiscard]] inline bool barriers_are_had() noexcept {
  const long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  return known > 0 && (known & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0;
}

/// Once a process. False: no such call here.
[[nodiscard]] inline bool register_for_barriers() noexcept {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

/// After setting one's flag, before the last look.
inline void barrier_everywhere(bool asymmetric) noexcept {
  if (asymmetric) (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

/// Of the store that publishes.
[[nodiscard]] constexpr std::memory_order publish_order(bool asymmetric) noexcept {
  return asymmetric ? std::memory_order_release : std::memory_order_seq_cst;
}

/// Between publishing and looking at the flag: the compiler keeps the order, membarrier() the rest.
inline void before_flag(bool asymmetric) noexcept {
  if (asymmetric) std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace phalanx::shm
