#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "ipc/base/time_ns.h"

namespace phalanx::call {

/// Sleeps while `word` is `value`, until `deadline` (kNever: without one). May return early.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value,
                       TimeNs deadline) noexcept {
  timespec until{.tv_sec = static_cast<time_t>(deadline / kSecond),
                 .tv_nsec = static_cast<long>(deadline % kSecond)};
  // The bitset form takes a point in time, of CLOCK_MONOTONIC.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, value, deadline == kNever ? nullptr : &until,
          nullptr, FUTEX_BITSET_MATCH_ANY);
}

inline void futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace phalanx::call
