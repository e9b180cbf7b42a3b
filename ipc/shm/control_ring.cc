#include "ipc/shm/control_ring.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "ipc/base/bytes.h"

namespace phalanx::shm {
namespace {

constexpr std::size_t kLengthBytes = 8;

std::uint64_t load_acquire(const std::uint64_t& index) noexcept {
  return std::atomic_ref(const_cast<std::uint64_t&>(index)).load(std::memory_order_acquire);
}

void copy_in(ControlRing& ring, std::uint64_t at, const std::byte* from,
             std::size_t count) noexcept {
  const std::size_t offset = at % kControlRingBytes;
  const std::size_t first = std::min(count, kControlRingBytes - offset);
  std::memcpy(ring.bytes + offset, from, first);
  if (count > first) std::memcpy(ring.bytes, from + first, count - first);
}

void copy_out(const ControlRing& ring, std::uint64_t at, std::byte* to,
              std::size_t count) noexcept {
  const std::size_t offset = at % kControlRingBytes;
  const std::size_t first = std::min(count, kControlRingBytes - offset);
  std::memcpy(to, ring.bytes + offset, first);
  if (count > first) std::memcpy(to + first, ring.bytes, count - first);
}

}  // namespace

bool ring_push(ControlRing& ring, std::span<const std::byte> message) noexcept {
  const std::uint64_t head = ring.head;
  const std::uint64_t tail = load_acquire(ring.tail);
  const std::size_t need = kLengthBytes + round_up(message.size(), std::size_t{8});
  if (message.size() > kControlMessageBytesMax || need > kControlRingBytes - (head - tail))
    return false;
  std::byte length[kLengthBytes];
  store_le<std::uint64_t>(length, message.size());
  copy_in(ring, head, length, kLengthBytes);
  if (!message.empty()) copy_in(ring, head + kLengthBytes, message.data(), message.size());
  std::atomic_ref(ring.head).store(head + need, std::memory_order_release);
  return true;
}

bool ring_pop(ControlRing& ring, std::vector<std::byte>& out) {
  const std::uint64_t tail = ring.tail;
  const std::uint64_t head = load_acquire(ring.head);
  if (head == tail) return false;
  const std::uint64_t held = head - tail;
  std::byte length[kLengthBytes];
  copy_out(ring, tail, length, kLengthBytes);
  const auto size = static_cast<std::size_t>(load_le<std::uint64_t>(length));
  if (held > kControlRingBytes || size > kControlMessageBytesMax ||
      kLengthBytes + round_up(size, std::size_t{8}) > held) {
    std::atomic_ref(ring.tail).store(head, std::memory_order_release);
    return false;
  }
  out.resize(size);
  if (size > 0) copy_out(ring, tail + kLengthBytes, out.data(), size);
  std::atomic_ref(ring.tail).store(tail + kLengthBytes + round_up(size, std::size_t{8}),
                                   std::memory_order_release);
  return true;
}

bool ring_empty(const ControlRing& ring) noexcept { return load_acquire(ring.head) == ring.tail; }

bool ring_arm(ControlRing& ring) noexcept {
  std::atomic_ref(ring.consumer_sleeps).store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return !ring_empty(ring);
}

void ring_disarm(ControlRing& ring) noexcept {
  std::atomic_ref(ring.consumer_sleeps).store(0, std::memory_order_relaxed);
}

bool ring_take_wake(ControlRing& ring) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::atomic_ref sleeps(ring.consumer_sleeps);
  return sleeps.load(std::memory_order_relaxed) != 0 &&
         sleeps.exchange(0, std::memory_order_relaxed) != 0;
}

}  // namespace phalanx::shm
