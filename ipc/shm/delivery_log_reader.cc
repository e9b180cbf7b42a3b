#include "ipc/shm/delivery_log_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ipc/shm/delivery_log.h"
#include "ipc/shm/mirror_map.h"

namespace phalanx::shm {
namespace {

/// Large enough that the look at the control page is nothing, small enough for the first cache
/// levels.
constexpr std::uint64_t kPieceBytes = 32 * 1024;

std::uint64_t load(const RingIndex& index, std::memory_order order) noexcept {
  return std::atomic_ref(const_cast<std::uint64_t&>(index.position)).load(order);
}

bool is_sealed_log(int fd, std::uint64_t bytes) noexcept {
  struct stat file {};
  // Memory that can shrink would kill us with SIGBUS when its maker likes.
  const int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(fd, &file) == 0 &&
         bytes >= kChannelRingBytesMin && bytes <= kDeliveryLogBytesMax &&
         (bytes & (bytes - 1)) == 0 &&
         file.st_size == static_cast<off_t>(kDeliveryLogPageBytes + bytes);
}

}  // namespace

bool DeliveryLogReader::open(int fd, std::uint64_t bytes, ChannelPage& page) noexcept {
  if (!is_sealed_log(fd, bytes)) {
    errno = EPROTO;
    return false;
  }
  void* log = mmap(nullptr, kDeliveryLogPageBytes, PROT_READ, MAP_SHARED, fd, 0);
  if (log == MAP_FAILED) return false;
  log_ = static_cast<const DeliveryLogPage*>(log);
  bytes_ = bytes;
  page_ = &page;
  data_ = map_mirrored(fd, kDeliveryLogPageBytes, bytes, false);
  if (data_ == nullptr || madvise(log, kDeliveryLogPageBytes, MADV_DONTFORK) != 0 ||
      madvise(data_, 2 * bytes, MADV_DONTFORK) != 0 || !make_room(kPieceBytes)) {
    return false;
  }
  if (log_->magic != kDeliveryLogMagic || log_->version != kDeliveryLogVersion ||
      log_->struct_bytes != sizeof(DeliveryLogPage)) {
    errno = EPROTO;
    return false;
  }
  return true;
}

void DeliveryLogReader::close() noexcept {
  unmap_mirrored(data_, bytes_);
  if (log_ != nullptr) munmap(const_cast<DeliveryLogPage*>(log_), kDeliveryLogPageBytes);
  std::free(copy_);
  copy_ = nullptr;
  room_ = 0;
  forget();
}

void DeliveryLogReader::forget() noexcept {
  page_ = nullptr;
  log_ = nullptr;
  data_ = nullptr;
  bytes_ = filled_ = at_ = record_ = 0;
  head_ = tail_ = kNotInLog;
  broken_ = false;
}

/// Where it begins is the worker's to say, before it writes the first event for this client.
bool DeliveryLogReader::begun() noexcept {
  if (head_ != kNotInLog) [[likely]]
    return true;
  const std::uint64_t start = load(page_->log_start, std::memory_order_acquire);
  if (start == kNotInLog) return false;
  head_ = tail_ = start;
  return true;
}

bool DeliveryLogReader::is_evicted() const noexcept {
  // The copy is read before this: the worker says so before it writes over anything.
  std::atomic_thread_fence(std::memory_order_acquire);
  return std::atomic_ref(page_->state).load(std::memory_order_relaxed) !=
         static_cast<std::uint32_t>(ChannelState::Open);
}

bool DeliveryLogReader::refresh(std::memory_order order) noexcept {
  if (log_ == nullptr || broken_ || !begun()) return false;
  const std::uint64_t tail = load(log_->tail, order);
  if (tail - head_ > bytes_ && !is_evicted()) {
    broken_ = true;
    return false;
  }
  tail_ = tail;
  return at_ < filled_ || (tail_ != head_ && !is_evicted());
}

bool DeliveryLogReader::make_room(std::uint64_t bytes) noexcept {
  if (bytes <= room_) return true;
  void* grown = std::realloc(copy_, bytes);
  if (grown == nullptr) return false;
  copy_ = static_cast<std::byte*>(grown);
  room_ = bytes;
  return true;
}

/// Whole records, as many as there is room for: at least one, for which room is made.
bool DeliveryLogReader::copy_piece() noexcept {
  const std::uint64_t there = tail_ - head_;
  if (there == 0 || is_evicted()) return false;
  const std::byte* from = data_ + (head_ & (bytes_ - 1));
  std::uint32_t first;
  std::memcpy(&first, from, sizeof first);
  asm volatile("" : "+r"(first));
  if (is_evicted()) return false;
  const std::uint64_t least = ring_record_bytes(first);
  if (there > bytes_ || least > there) {
    broken_ = true;
    return false;
  }
  if (!make_room(least)) return false;  // Tried again by the next dispatch.
  const std::uint64_t piece = there < room_ ? there : room_;
  std::memcpy(copy_, from, piece);
  if (is_evicted()) return false;
  std::uint64_t whole = 0;
  while (piece - whole >= kRingPrefixBytes) {
    std::uint32_t length;
    std::memcpy(&length, copy_ + whole, sizeof length);
    const std::uint64_t record = ring_record_bytes(length);
    if (record > there - whole) {
      broken_ = true;
      return false;
    }
    if (record > piece - whole) break;
    whole += record;
  }
  head_ += whole;
  filled_ = whole;
  at_ = 0;
  std::atomic_ref(page_->log_head.position).store(head_, std::memory_order_release);
  return true;
}

bool DeliveryLogReader::peek(BulkRecord& out) noexcept {
  if (log_ == nullptr || broken_) return false;
  if (at_ == filled_ && (filled_ > 0 || !copy_piece())) return false;
  const std::byte* at = copy_ + at_;
  std::uint32_t length, tag;
  std::memcpy(&length, at, sizeof length);
  std::memcpy(&tag, at + 4, sizeof tag);
  record_ = ring_record_bytes(length);  // Whole: copy_piece() has seen to it.
  out = {.kind = tag_kind(tag), .flags = tag_flags(tag), .body = {at + kRingPrefixBytes, length}};
  return true;
}

std::uint64_t DeliveryLogReader::backlog_bytes() const noexcept {
  if (log_ == nullptr) return 0;
  const std::uint64_t head = load(page_->log_head, std::memory_order_acquire);
  const std::uint64_t tail = load(log_->tail, std::memory_order_acquire);
  const std::uint64_t lag = head == kNotInLog ? 0 : tail - head;
  return lag < bytes_ ? lag : bytes_;
}

}  // namespace phalanx::shm
