#include "ipc/shm/client_channel.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ipc/shm/mirror_map.h"

namespace phalanx::shm {
namespace {

bool is_ring_size(std::uint64_t bytes, std::uint64_t most) noexcept {
  return bytes >= kChannelRingBytesMin && bytes <= most && (bytes & (bytes - 1)) == 0;
}

/// A bulk ring holds the largest message and its headers, or is not there.
bool is_bulk_size(std::uint64_t bytes) noexcept {
  return bytes == 0 || is_ring_size(bytes, std::uint64_t{kMessageBytesMax} * 2);
}

bool is_sane(const ChannelGeometry& g) noexcept {
  return is_ring_size(g.submit_bytes, kChannelRingBytesMax) &&
         is_ring_size(g.delivery_bytes, kChannelRingBytesMax) &&
         is_bulk_size(g.submit_bulk_bytes) && is_bulk_size(g.delivery_bulk_bytes) &&
         g.page_bytes >= sizeof(ChannelPage) && g.page_bytes <= kChannelRingBytesMax &&
         g.message_bytes_max <= kMessageBytesMax;
}

bool has_bytes(int fd, std::uint64_t bytes) noexcept {
  struct stat file {};
  return fstat(fd, &file) == 0 && static_cast<std::uint64_t>(file.st_size) >= bytes;
}

}  // namespace

bool ClientChannel::open(int memory_fd, int doorbell_fd, int bulk_fd, const ChannelGeometry& g,
                         int log_fd) noexcept {
  doorbell_ = doorbell_fd;
  geometry_ = g;
  const std::uint64_t bulk_bytes = g.submit_bulk_bytes + g.delivery_bulk_bytes;
  if (!is_sane(g) || !has_bytes(memory_fd, g.page_bytes + g.submit_bytes + g.delivery_bytes) ||
      (bulk_bytes > 0 && !has_bytes(bulk_fd, bulk_bytes))) {
    close();
    errno = EPROTO;
    return false;
  }
  const struct {
    int fd;
    std::uint64_t offset, bytes;
  } parts[4] = {{memory_fd, g.page_bytes, g.submit_bytes},
                {memory_fd, g.page_bytes + g.submit_bytes, g.delivery_bytes},
                {bulk_fd, 0, g.submit_bulk_bytes},
                {bulk_fd, g.submit_bulk_bytes, g.delivery_bulk_bytes}};
  void* page = mmap(nullptr, g.page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
  bool mapped = page != MAP_FAILED;
  if (mapped) {
    page_ = static_cast<ChannelPage*>(page);
    // A child must not share the rings with its parent: two producers would corrupt them.
    mapped = madvise(page, g.page_bytes, MADV_DONTFORK) == 0;
  }
  for (int i = 0; i < 4 && mapped; ++i) {
    if (parts[i].bytes == 0) continue;
    rings_[i] = map_mirrored(parts[i].fd, parts[i].offset, parts[i].bytes, true);
    mapped = rings_[i] != nullptr && madvise(rings_[i], 2 * parts[i].bytes, MADV_DONTFORK) == 0;
  }
  if (mapped && (page_->magic != kChannelMagic || page_->version != kChannelVersion ||
                 page_->page_struct_bytes != sizeof(ChannelPage))) {
    errno = EPROTO;
    mapped = false;
  }
  if (mapped && g.log_bytes > 0) mapped = has_log_ = log_.open(log_fd, g.log_bytes, *page_);
  if (!mapped) {
    const int error = errno;
    close();
    errno = error;
    return false;
  }
  submit_ = BulkProducer(SpscProducer(page_->submit, rings_[0], g.submit_bytes),
                         SpscProducer(page_->submit_bulk, rings_[2], g.submit_bulk_bytes));
  delivery_ = BulkConsumer(SpscConsumer(page_->delivery, rings_[1], g.delivery_bytes),
                           SpscConsumer(page_->delivery_bulk, rings_[3], g.delivery_bulk_bytes));
  return true;
}

void ClientChannel::close() noexcept {
  const std::uint64_t bytes[4] = {geometry_.submit_bytes, geometry_.delivery_bytes,
                                  geometry_.submit_bulk_bytes, geometry_.delivery_bulk_bytes};
  for (int i = 0; i < 4; ++i) {
    unmap_mirrored(rings_[i], bytes[i]);
    rings_[i] = nullptr;
  }
  log_.close();
  has_log_ = of_log_ = false;
  if (page_ != nullptr) munmap(page_, geometry_.page_bytes);
  page_ = nullptr;
  if (doorbell_ >= 0) ::close(doorbell_);
  doorbell_ = -1;
}

void SubmitMemory::unmap() noexcept {
  unmap_mirrored(ring, ring_bytes);
  unmap_mirrored(bulk, bulk_bytes);
  *this = {};
}

SubmitMemory ClientChannel::close_but_keep_submit_memory() noexcept {
  const SubmitMemory kept{.ring = rings_[0],
                          .bulk = rings_[2],
                          .ring_bytes = geometry_.submit_bytes,
                          .bulk_bytes = geometry_.submit_bulk_bytes};
  rings_[0] = rings_[2] = nullptr;
  close();
  return kept;
}

void ClientChannel::shorten_submission(std::byte* body, std::uint32_t before,
                                       std::uint32_t bytes) noexcept {
  std::byte* const prefix = body - kRingPrefixBytes;
  const std::uint64_t room = ring_record_bytes(before) - kRingPrefixBytes;
  if (ring_record_bytes(bytes) - kRingPrefixBytes == room) {
    std::memcpy(prefix, &bytes, sizeof bytes);  // The record has as many words as before.
    return;
  }
  const std::uint64_t length = bytes;
  std::memcpy(body + room - sizeof length, &length, sizeof length);
  std::uint32_t tag;
  std::memcpy(&tag, prefix + 4, sizeof tag);
  tag |= make_tag(0, kBodyShortened);
  std::memcpy(prefix + 4, &tag, sizeof tag);
}

void ClientChannel::abandon_after_fork() noexcept {
  for (std::byte*& ring : rings_) ring = nullptr;
  log_.forget();
  has_log_ = of_log_ = false;
  page_ = nullptr;
  if (doorbell_ >= 0) ::close(doorbell_);
  doorbell_ = -1;
}

void ClientChannel::ring_doorbell() noexcept {
  // Who takes the flag rings: one system call a sleep, however many messages come meanwhile.
  if (std::atomic_ref(page_->worker_sleeping).exchange(0, std::memory_order_acq_rel) == 0) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(doorbell_, &one, sizeof one);
}

}  // namespace phalanx::shm
