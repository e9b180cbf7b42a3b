#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace phalanx::client {

/// A mutex of one word: two atomic operations when nobody else wants it, a futex when somebody
/// does. It lives in static memory, so that a stale handle can take it and find out. Not recursive.
class Lock {
 public:
  void lock() noexcept {
    std::uint32_t state = kFree;
    if (state_.compare_exchange_strong(state, kTaken, std::memory_order_acquire)) return;
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, kContended, nullptr, nullptr, 0);
    }
  }
  /// In one order with unlock() and what else is seq_cst: who sets a flag and then finds the lock
  /// taken is seen by who gives it back and then looks at the flag.
  [[nodiscard]] bool try_lock() noexcept {
    std::uint32_t state = kFree;
    return state_.load(std::memory_order_seq_cst) == kFree &&
           state_.compare_exchange_strong(state, kTaken, std::memory_order_seq_cst);
  }
  void unlock() noexcept {
    if (state_.exchange(kFree, std::memory_order_seq_cst) == kContended) {
      syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
  }
  /// In a child of fork(), where whoever held it does not exist.
  void reset() noexcept { state_.store(kFree, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t kFree = 0, kTaken = 1, kContended = 2;
  std::atomic<std::uint32_t> state_{kFree};
  static_assert(sizeof(std::atomic<std::uint32_t>) == 4);
};

class LockGuard {
 public:
  explicit LockGuard(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace phalanx::client
