#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace phalanx::worker {

/// A bounded queue between two threads of this process: one pushes, the other pops. Never blocks,
/// never allocates. N is a power of two.
template <class T, std::size_t N>
class SpscQueue {
  static_assert(N != 0 && (N & (N - 1)) == 0);

 public:
  /// False when full.
  [[nodiscard]] bool push(const T& item) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == N) return false;
    items_[tail % N] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// False when empty.
  [[nodiscard]] bool pop(T& out) noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    out = items_[head % N];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  [[nodiscard]] bool empty() const noexcept {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire);
  }

 private:
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::array<T, N> items_{};
};

}  // namespace phalanx::worker
