#pragma once

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "ipc/base/assert.h"
#include "ipc/client/lock.h"

namespace phalanx::client {

/// Whether bias can be taken back here: set once, by allow_bias(), before there is any lock.
inline std::atomic<bool> bias_allowed{false};

/// Once a process, before the first BiasedLock is used.
inline void allow_bias() noexcept {
#if defined(__SANITIZE_THREAD__)
  return;  // It knows nothing of membarrier().
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return;
#endif
#endif
  bias_allowed.store(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0,
                     std::memory_order_relaxed);
}

/// A mutex for what one thread uses most of the time: it then takes plain stores, where a mutex
/// takes two atomic operations (some 15 ns a pair). The first thread to come owns it; the first
/// other one takes the ownership away, with a membarrier() of microseconds, and from then on it is
/// a client::Lock for everybody, until renew(), after which that first thread may own it again. Not
/// recursive. Lives in static memory, as that. A process that filters its system calls later on has
/// to leave membarrier() allowed.
///
/// The owner says that it is inside and then looks whether it still owns; who takes that away
/// clears the owner, has every thread of this process pass a fence, and waits until the owner is
/// out: one of the two sees the other. Only one thread ever writes `inside_`: the first, for ever.
class BiasedLock {
 public:
  /// True: as the owner. unlock() wants to know.
  [[nodiscard]] bool lock() noexcept {
    const std::uintptr_t self = this_one();
    if (owner_.load(std::memory_order_relaxed) == self) [[likely]] {
      inside_.store(1, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
      if (owner_.load(std::memory_order_acquire) == self) [[likely]]
        return true;
      inside_.store(0, std::memory_order_release);
    }
    lock_for_anybody();
    if (fresh_ && (first_ == 0 || first_ == self) && bias_allowed.load(std::memory_order_relaxed)) {
      fresh_ = false;
      first_ = self;
      owner_.store(self, std::memory_order_relaxed);
    }
    return false;
  }
  /// As lock(), for a thread that is only passing by: it never becomes the owner.
  void lock_for_anybody() noexcept {
    lock_.lock();
    if (owner_.load(std::memory_order_relaxed) == 0) return;
    fresh_ = false;
    take_away();
  }
  void unlock(bool as_owner) noexcept {
    if (as_owner) {
      inside_.store(0, std::memory_order_release);
    } else {
      lock_.unlock();
    }
  }
  /// What it guards begins anew, and may have an owner again. By who holds it.
  void renew() noexcept { fresh_ = true; }
  /// In a child of fork(), where whoever held it does not exist.
  void reset() noexcept {
    owner_.store(0, std::memory_order_relaxed);
    inside_.store(0, std::memory_order_relaxed);
    first_ = 0;
    fresh_ = true;
    lock_.reset();
  }

 private:
  static std::uintptr_t this_one() noexcept {
    return reinterpret_cast<std::uintptr_t>(reinterpret_cast<void*>(pthread_self()));
  }
  void take_away() noexcept {
    owner_.store(0, std::memory_order_seq_cst);
    // It cannot be had any more (a filter of system calls, set since): nobody could tell whether
    // the owner is inside.
    PHX_CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    for (int i = 0; inside_.load(std::memory_order_acquire) != 0; ++i) {
      // The owner may wait for our processor, at a lower priority.
      const timespec moment{.tv_sec = 0, .tv_nsec = 50'000};
      if (i < 100) {
        (void)sched_yield();
      } else {
        (void)nanosleep(&moment, nullptr);
      }
    }
  }

  std::atomic<std::uintptr_t> owner_{0};  ///< 0, or `first_`.
  std::atomic<std::uint32_t> inside_{0};  ///< The owner holds it.
  Lock lock_;                             ///< What everybody else holds; it guards what follows.
  std::uintptr_t first_ = 0;
  bool fresh_ = true;  ///< Nobody but the owner-to-be came yet.
};

class BiasedGuard {
 public:
  explicit BiasedGuard(BiasedLock& lock) noexcept : lock_(lock), as_owner_(lock.lock()) {}
  ~BiasedGuard() { lock_.unlock(as_owner_); }
  BiasedGuard(const BiasedGuard&) = delete;
  BiasedGuard& operator=(const BiasedGuard&) = delete;

 private:
  BiasedLock& lock_;
  bool as_owner_;
};

}  // namespace phalanx::client
