#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ipc/base/assert.h"

namespace phalanx::shm {

/// A single-producer, single-consumer ring of length-prefixed records over a mirrored mapping.
///
///            head                 tail
///             |                    |
///   ----------[p|record][p|record]-+---------   p = 8 bytes: u32 payload bytes, u32 tag
///
/// Positions count bytes from 0 for ever; record starts are multiples of 8. Each end has the truth
/// about its own position in private memory and only publishes it; what the other end published is
/// hostile: read once, checked, and an end that was lied to is broken() for ever and does nothing
/// more. Payload bytes may still change under the reader: copy first, then validate.
///
/// One thread an end. No call blocks, allocates or enters the kernel. The memory orders are for
/// ends that sleep: seq_cst here and on the sleeping flag, or a barrier by who goes to sleep
/// (barrier.h), so that a record or the flag is always seen.

/// One position, alone on its cache line. Lives in shared memory; zero at creation.
struct alignas(64) RingIndex {
  std::uint64_t position = 0;
};
static_assert(sizeof(RingIndex) == 64);

/// Both positions of a ring, for a segment that keeps them together.
struct RingIndices {
  RingIndex tail;  ///< Written by the producer.
  RingIndex head;  ///< Written by the consumer.
};
static_assert(sizeof(RingIndices) == 128);

/// Shows a position. An order that the compiler does not know it would take for the dearest one.
inline void store_in_order(RingIndex& index, std::uint64_t position,
                           std::memory_order order) noexcept {
  if (order == std::memory_order_release) {
    std::atomic_ref(index.position).store(position, std::memory_order_release);
  } else {
    std::atomic_ref(index.position).store(position, std::memory_order_seq_cst);
  }
}

inline constexpr std::uint64_t kRingPrefixBytes = 8;
/// The ends of a ring are on two cores: each line has to come from the other one, some 100 ns. Of
/// short records, some twenty of which are so long, both ends have the lines on their way before.
inline constexpr std::uint64_t kFetchAhead = 2048;
inline constexpr std::uint64_t kCacheLine = 64;

/// For who writes at `tail`. In a ring that is nearly full these lines are the reader's next ones:
/// it gets them back.
inline void fetch_to_write(const std::byte* data, std::uint64_t bytes,
                           std::uint64_t tail) noexcept {
  const std::byte* at = data + ((tail + kFetchAhead) & (bytes - 1));
  asm volatile("prefetchw %0\n\tprefetchw %1" : : "m"(at[0]), "m"(at[kCacheLine]));
}

/// For who reads at `at`, of `left` bytes that are there.
inline void fetch_to_read(const std::byte* at, std::uint64_t left) noexcept {
  // Not what the producer may still be writing: that would take the lines away from it.
  if (left <= kFetchAhead + 2 * kCacheLine) return;
  __builtin_prefetch(at + kFetchAhead);
  __builtin_prefetch(at + kFetchAhead + kCacheLine);
}

/// Ring space that a record with so much payload takes.
[[nodiscard]] constexpr std::uint64_t ring_record_bytes(std::uint64_t payload_bytes) noexcept {
  return kRingPrefixBytes + ((payload_bytes + 7) & ~std::uint64_t{7});
}

class SpscProducer {
 public:
  SpscProducer() = default;
  /// `bytes` is a power of two; [data, data + 2 * bytes) is the mirrored mapping. Both positions in
  /// shared memory are 0.
  SpscProducer(RingIndices& indices, std::byte* data, std::uint64_t bytes) noexcept
      : SpscProducer(indices.tail, indices.head, data, bytes) {}
  SpscProducer(RingIndex& tail, RingIndex& head, std::byte* data, std::uint64_t bytes) noexcept
      : shared_tail_(&tail), shared_head_(&head), data_(data), bytes_(bytes) {}

  /// Room for a record's payload, or nullptr when it does not fit now (or ever: see fits()). The
  /// room may be filled over several turns; nothing is visible before commit() and publish().
  [[nodiscard]] std::byte* reserve(std::uint32_t payload_bytes) noexcept {
    const std::uint64_t need = ring_record_bytes(payload_bytes);
    if (need > bytes_ - (tail_ - head_)) {
      refresh();
      if (broken_ || need > bytes_ - (tail_ - head_)) return nullptr;
    }
    reserved_ = need;
    fetch_to_write(data_, bytes_, tail_);
    return data_ + (tail_ & (bytes_ - 1)) + kRingPrefixBytes;
  }

  /// Ends the reserved record; it may have become shorter. The tag is the caller's.
  void commit(std::uint32_t payload_bytes, std::uint32_t tag) noexcept {
    const std::uint64_t need = ring_record_bytes(payload_bytes);
    PHX_CHECK(need <= reserved_);
    std::byte* at = data_ + (tail_ & (bytes_ - 1));
    std::memcpy(at, &payload_bytes, sizeof payload_bytes);
    std::memcpy(at + 4, &tag, sizeof tag);
    tail_ += need;
    reserved_ = 0;
  }

  /// reserve() and commit() in one: the room is filled before the next publish(). For what is
  /// written record by record.
  [[nodiscard]] std::byte* append(std::uint32_t payload_bytes, std::uint32_t tag) noexcept {
    const std::uint64_t need = ring_record_bytes(payload_bytes);
    if (need > bytes_ - (tail_ - head_)) [[unlikely]] {
      refresh();
      if (broken_ || need > bytes_ - (tail_ - head_)) return nullptr;
    }
    std::byte* at = data_ + (tail_ & (bytes_ - 1));
    std::memcpy(at, &payload_bytes, sizeof payload_bytes);
    std::memcpy(at + 4, &tag, sizeof tag);
    fetch_to_write(data_, bytes_, tail_);
    tail_ += need;
    return at + kRingPrefixBytes;
  }

  /// reserve() + copy + commit(). False when it does not fit now.
  [[nodiscard]] bool write(std::uint32_t tag, std::span<const std::byte> payload) noexcept {
    std::byte* room = append(static_cast<std::uint32_t>(payload.size()), tag);
    if (room == nullptr) return false;
    if (!payload.empty()) std::memcpy(room, payload.data(), payload.size());
    return true;
  }

  /// Shows everything committed to the consumer: one release store, once a burst. Returns whether
  /// there was anything new.
  bool publish(std::memory_order order = std::memory_order_release) noexcept {
    if (published_ == tail_) return false;
    published_ = tail_;
    store_in_order(*shared_tail_, tail_, order);
    return true;
  }

  /// Reads what the consumer has released. reserve() does so by itself when it must.
  void refresh() noexcept {
    const std::uint64_t head =
        std::atomic_ref(shared_head_->position).load(std::memory_order_acquire);
    if (head - head_ > published_ - head_ || head % 8 != 0) {
      broken_ = true;  // Backwards, beyond what was published, or inside a word: not our consumer.
      return;
    }
    head_ = head;
  }

  [[nodiscard]] bool fits(std::uint64_t payload_bytes) const noexcept {
    return ring_record_bytes(payload_bytes) <= bytes_;
  }
  /// As of the last refresh().
  [[nodiscard]] std::uint64_t free_bytes() const noexcept { return bytes_ - (tail_ - head_); }
  /// Since the beginning.
  [[nodiscard]] std::uint64_t committed_bytes() const noexcept { return tail_; }
  /// Since the beginning, as of the last refresh().
  [[nodiscard]] std::uint64_t released_bytes() const noexcept { return head_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  RingIndex* shared_tail_ = nullptr;
  RingIndex* shared_head_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t tail_ = 0;       ///< Committed.
  std::uint64_t published_ = 0;  ///< Shown to the consumer.
  std::uint64_t head_ = 0;       ///< Cached: the consumer is at least here.
  std::uint64_t reserved_ = 0;
  bool broken_ = false;
};

/// One record, in place in the ring: valid until release() passes it.
struct RingRecord {
  std::uint32_t tag = 0;
  std::span<const std::byte> payload;
};

class SpscConsumer {
 public:
  SpscConsumer() = default;
  SpscConsumer(RingIndices& indices, const std::byte* data, std::uint64_t bytes) noexcept
      : SpscConsumer(indices.tail, indices.head, data, bytes) {}
  SpscConsumer(RingIndex& tail, RingIndex& head, const std::byte* data,
               std::uint64_t bytes) noexcept
      : shared_tail_(&tail), shared_head_(&head), data_(data), bytes_(bytes) {}

  /// The next record. False when there is none (now, or ever when broken()).
  [[nodiscard]] bool peek(RingRecord& out) noexcept {
    if (head_ == tail_ && !refresh()) return false;
    const std::byte* at = data_ + (head_ & (bytes_ - 1));
    fetch_to_read(at, tail_ - head_);
    std::uint64_t prefix;
    std::memcpy(&prefix, at, sizeof prefix);
    asm volatile(
        ""
        : "+r"(prefix));  // Read once: the compiler must not fetch it again after the check.
    std::uint32_t length;
    std::memcpy(&length, &prefix, sizeof length);
    std::memcpy(&out.tag, reinterpret_cast<const std::byte*>(&prefix) + 4, sizeof out.tag);
    peeked_ = ring_record_bytes(length);
    if (peeked_ > tail_ - head_) [[unlikely]] {
      peeked_ = 0;
      tail_ = head_;
      broken_ = true;
      return false;
    }
    out.payload = {at + kRingPrefixBytes, length};
    return true;
  }

  /// Steps over the record of the last peek(). Its bytes stay valid until release().
  void pop() noexcept {
    PHX_CHECK(peeked_ != 0);
    head_ += peeked_;
    peeked_ = 0;
  }

  /// Gives the popped records' space back: one release store, once a burst or every quarter of the
  /// ring. Returns whether there was any.
  bool release(std::memory_order order = std::memory_order_release) noexcept {
    if (released_ == head_) return false;
    released_ = head_;
    store_in_order(*shared_head_, head_, order);
    return true;
  }

  /// As release(), but only up to `position`, which popped_bytes() gave: what was popped after it
  /// is still being read.
  bool release_to(std::uint64_t position,
                  std::memory_order order = std::memory_order_release) noexcept {
    PHX_CHECK(position - released_ <= head_ - released_);
    if (released_ == position) return false;
    released_ = position;
    store_in_order(*shared_head_, position, order);
    return true;
  }

  /// Looks for new records: true when at least one waits. One acquire load.
  bool refresh(std::memory_order order = std::memory_order_acquire) noexcept {
    if (broken_) [[unlikely]]
      return false;
    // The first record's line comes beside the index's, not after it.
    __builtin_prefetch(data_ + (head_ & (bytes_ - 1)));
    __builtin_prefetch(data_ + (head_ & (bytes_ - 1)) + kCacheLine);
    const std::uint64_t tail = std::atomic_ref(shared_tail_->position).load(order);
    if (tail - head_ > bytes_ - (head_ - released_) || tail - head_ < tail_ - head_ ||
        tail % 8 != 0) [[unlikely]] {
      broken_ = true;
      tail_ = head_;
      return false;
    }
    tail_ = tail;
    return tail_ != head_;
  }

  /// Since the beginning.
  [[nodiscard]] std::uint64_t popped_bytes() const noexcept { return head_; }
  [[nodiscard]] std::uint64_t unreleased_bytes() const noexcept { return head_ - released_; }
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return tail_ - head_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  RingIndex* shared_tail_ = nullptr;
  RingIndex* shared_head_ = nullptr;
  const std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t head_ = 0;      ///< Popped.
  std::uint64_t released_ = 0;  ///< Shown to the producer.
  std::uint64_t tail_ = 0;      ///< Cached: records are there up to here.
  std::uint64_t peeked_ = 0;    ///< Ring bytes of the record that peek() gave.
  bool broken_ = false;
};

}  // namespace phalanx::shm
