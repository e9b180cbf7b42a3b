#include "ipc/call/client/broadcast.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "ipc/shm/mirror_map.h"

namespace phalanx::call {
namespace {

std::uint64_t position_of(const shm::RingIndex& index, std::memory_order order) noexcept {
  return std::atomic_ref(const_cast<std::uint64_t&>(index.position)).load(order);
}

}  // namespace

phx_status BroadcastReader::map(int fd, Page& page) noexcept {
  struct stat file {};
  // Memory that can shrink would kill us with SIGBUS when its maker likes.
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &file) != 0 ||
      file.st_size < static_cast<off_t>(kPageBytes)) {
    return PHX_VERSION;
  }
  const std::uint64_t bytes = static_cast<std::uint64_t>(file.st_size) - kPageBytes;
  if (bytes < shm::kChannelRingBytesMin || bytes > shm::kChannelRingBytesMax ||
      (bytes & (bytes - 1)) != 0) {
    return PHX_VERSION;
  }
  void* log = mmap(nullptr, kPageBytes, PROT_READ, MAP_SHARED, fd, 0);
  if (log == MAP_FAILED) return PHX_NO_MEMORY;
  log_ = static_cast<const BroadcastPage*>(log);
  bytes_ = bytes;
  data_ = shm::map_mirrored(fd, kPageBytes, bytes, false);
  if (data_ == nullptr || madvise(log, kPageBytes, MADV_DONTFORK) != 0 ||
      madvise(data_, 2 * bytes, MADV_DONTFORK) != 0) {
    return PHX_NO_MEMORY;
  }
  if (log_->magic != kMagic || log_->version != kVersion ||
      log_->struct_bytes != sizeof(BroadcastPage) || log_->ring_bytes != bytes) {
    return PHX_VERSION;
  }
  page_ = &page;
  head_ = released_ = tail_ = position_of(page.broadcast_head, std::memory_order_acquire);
  return head_ % 8 == 0 ? PHX_OK : PHX_VERSION;
}

void BroadcastReader::unmap() noexcept {
  shm::unmap_mirrored(data_, bytes_);
  if (log_ != nullptr) munmap(const_cast<BroadcastPage*>(log_), kPageBytes);
  forget();
}

void BroadcastReader::forget() noexcept {
  log_ = nullptr;
  data_ = nullptr;
}

bool BroadcastReader::is_evicted() const noexcept {
  // What was read before this look was read before the server wrote over it, if it is not.
  std::atomic_thread_fence(std::memory_order_acquire);
  const std::uint32_t state = std::atomic_ref(page_->state).load(std::memory_order_acquire);
  return state == static_cast<std::uint32_t>(State::Evicted) ||
         state == static_cast<std::uint32_t>(State::Broken);
}

bool BroadcastReader::refresh(std::memory_order order) noexcept {
  if (log_ == nullptr || is_evicted()) return false;
  tail_ = position_of(log_->tail, order);
  return tail_ != head_;
}

phx_status BroadcastReader::take(phx_ipc_event* events, std::size_t most,
                                 std::size_t& count) noexcept {
  count = 0;
  if (log_ == nullptr || (tail_ == head_ && !refresh(std::memory_order_acquire)))
    return PHX_TRY_AGAIN;
  std::uint64_t head = head_;
  bool sound = tail_ - head <= bytes_ && tail_ % 8 == 0;
  while (sound && count < most && head != tail_) {
    const std::byte* at = data_ + (head & (bytes_ - 1));
    shm::fetch_to_read(at, tail_ - head);
    std::uint32_t length = 0;
    EventBody body;
    std::memcpy(&length, at, sizeof length);
    std::memcpy(&body, at + shm::kRingPrefixBytes, sizeof body);
    // The copies are what counts, whatever is written next.
    asm volatile("" : "+r"(length), "+m"(body));
    const std::uint64_t record = shm::ring_record_bytes(length);
    sound = record <= tail_ - head && length >= sizeof body;
    if (!sound) break;
    events[count++] = {.id = body.id,
                       .data = at + shm::kRingPrefixBytes + sizeof body,
                       .bytes = length - sizeof body};
    head += record;
  }
  // One look for all of them: what was read before it was not written over.
  if (is_evicted()) [[unlikely]] {
    count = 0;
    return PHX_TRY_AGAIN;
  }
  head_ = head;
  // What came before the lie is the program's.
  return count > 0 ? PHX_OK : PHX_BROKEN;
}

bool BroadcastReader::release(std::memory_order order) noexcept {
  if (log_ == nullptr || released_ == head_) return false;
  released_ = head_;
  shm::store_in_order(page_->broadcast_head, head_, order);
  return true;
}

std::uint64_t BroadcastReader::queued_bytes() const noexcept {
  if (log_ == nullptr) return 0;
  const std::uint64_t lag = position_of(log_->tail, std::memory_order_acquire) -
                            position_of(page_->broadcast_head, std::memory_order_acquire);
  return lag < bytes_ ? lag : bytes_;
}

}  // namespace phalanx::call
