#include "ipc/call/mapping.h"

#include <sys/mman.h>

#include "ipc/shm/mirror_map.h"

namespace phalanx::call {
namespace {

/// Headers before the bytes of any record.
constexpr std::uint64_t kBodyBytesMost = sizeof(RequestBody);
constexpr std::uint64_t kBulkBytesMax = std::uint64_t{shm::kMessageBytesMax} * 2;

std::uint64_t within(std::uint64_t value, std::uint64_t least, std::uint64_t most) noexcept {
  return value < least ? least : value > most ? most : value;
}

std::uint64_t power_of_two(std::uint64_t bytes) noexcept {
  std::uint64_t power = shm::kChannelRingBytesMin;
  while (power < bytes) power *= 2;
  return power;
}

std::uint64_t bulk_for(std::uint64_t ring_bytes, std::uint64_t message_bytes) noexcept {
  const std::uint64_t record = shm::ring_record_bytes(kBodyBytesMost + message_bytes);
  return record > ring_bytes / 2 ? power_of_two(record) : 0;
}

bool is_ring(std::uint64_t bytes, std::uint64_t most) noexcept {
  return bytes >= shm::kChannelRingBytesMin && bytes <= most && (bytes & (bytes - 1)) == 0;
}

struct Sizes6 {
  std::uint64_t bytes[6];
};
Sizes6 ring_sizes(const Geometry& g) noexcept {
  return {{g.request_bytes, g.response_bytes, g.dispatch_bytes, g.request_bulk_bytes,
           g.response_bulk_bytes, g.dispatch_bulk_bytes}};
}

shm::RingIndices& indices(Page& page, int ring) noexcept {
  shm::RingIndices* const all[6] = {&page.request,      &page.response,      &page.dispatch,
                                    &page.request_bulk, &page.response_bulk, &page.dispatch_bulk};
  return *all[ring];
}

}  // namespace

Geometry geometry_for(const Sizes& wanted) noexcept {
  Geometry g{};
  const auto ring = [](std::uint64_t bytes) {
    return power_of_two(within(bytes, shm::kChannelRingBytesMin, shm::kChannelRingBytesMax));
  };
  g.request_bytes = ring(wanted.request_bytes);
  g.response_bytes = ring(wanted.response_bytes);
  g.dispatch_bytes = ring(wanted.dispatch_bytes);
  g.message_bytes_max =
      static_cast<std::uint32_t>(within(wanted.message_bytes_max, 1, shm::kMessageBytesMax));
  g.request_bulk_bytes = bulk_for(g.request_bytes, g.message_bytes_max);
  g.response_bulk_bytes = bulk_for(g.response_bytes, g.message_bytes_max);
  g.dispatch_bulk_bytes = bulk_for(g.dispatch_bytes, g.message_bytes_max);
  const std::uint64_t pages = (within(wanted.buffer_bytes, 0, kBufferBytesMax) + kPageBytes - 1);
  g.buffer_bytes = pages / kPageBytes * kPageBytes;
  g.outstanding_max =
      static_cast<std::uint32_t>(within(wanted.outstanding_max, 1, kOutstandingMax));
  return g;
}

bool is_sane(const Geometry& g) noexcept {
  const Sizes6 sizes = ring_sizes(g);
  for (int i = 0; i < 6; ++i) {
    const bool bulk = i >= 3;
    if (bulk && sizes.bytes[i] == 0) continue;
    if (!is_ring(sizes.bytes[i], bulk ? kBulkBytesMax : shm::kChannelRingBytesMax)) return false;
  }
  if (g.message_bytes_max == 0 || g.message_bytes_max > shm::kMessageBytesMax) return false;
  for (int i = 0; i < 3; ++i) {
    if (sizes.bytes[i + 3] < bulk_for(sizes.bytes[i], g.message_bytes_max)) return false;
  }
  return g.buffer_bytes <= kBufferBytesMax && g.buffer_bytes % kPageBytes == 0 &&
         g.outstanding_max >= 1 && g.outstanding_max <= kOutstandingMax;
}

std::uint64_t memory_bytes(const Geometry& g) noexcept {
  std::uint64_t total = kPageBytes + g.buffer_bytes;
  for (const std::uint64_t bytes : ring_sizes(g).bytes) total += bytes;
  return total;
}

std::uint64_t allocated_bytes(const Geometry& g) noexcept {
  return kPageBytes + g.request_bytes + g.response_bytes + g.dispatch_bytes;
}

bool Mapping::map(int fd, const Geometry& g) noexcept {
  geometry_ = g;
  void* page = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return false;
  page_ = static_cast<Page*>(page);
  // A child must not share the rings with its parent: two producers would corrupt them.
  bool mapped = madvise(page, kPageBytes, MADV_DONTFORK) == 0;
  std::uint64_t offset = kPageBytes;
  const Sizes6 sizes = ring_sizes(g);
  for (int i = 0; i < 6 && mapped; ++i) {
    const std::uint64_t bytes = sizes.bytes[i];
    if (bytes == 0) continue;
    rings_[i] = shm::map_mirrored(fd, offset, bytes, true);
    mapped = rings_[i] != nullptr && madvise(rings_[i], 2 * bytes, MADV_DONTFORK) == 0;
    offset += bytes;
  }
  if (mapped && g.buffer_bytes > 0) {
    void* buffers = mmap(nullptr, g.buffer_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                         static_cast<off_t>(offset));
    mapped = buffers != MAP_FAILED;
    if (mapped) {
      buffers_ = static_cast<std::byte*>(buffers);
      mapped = madvise(buffers, g.buffer_bytes, MADV_DONTFORK) == 0;
    }
  }
  if (!mapped) unmap();
  return mapped;
}

void Mapping::unmap() noexcept {
  const Sizes6 sizes = ring_sizes(geometry_);
  for (int i = 0; i < 6; ++i) shm::unmap_mirrored(rings_[i], sizes.bytes[i]);
  if (buffers_ != nullptr) munmap(buffers_, geometry_.buffer_bytes);
  if (page_ != nullptr) munmap(page_, kPageBytes);
  forget();
}

void Mapping::forget() noexcept {
  for (std::byte*& ring : rings_) ring = nullptr;
  buffers_ = nullptr;
  page_ = nullptr;
}

shm::BulkProducer Mapping::producer(Ring ring) const noexcept {
  const Sizes6 sizes = ring_sizes(geometry_);
  return {shm::SpscProducer(indices(*page_, ring), rings_[ring], sizes.bytes[ring]),
          shm::SpscProducer(indices(*page_, ring + 3), rings_[ring + 3], sizes.bytes[ring + 3])};
}

shm::BulkConsumer Mapping::consumer(Ring ring) const noexcept {
  const Sizes6 sizes = ring_sizes(geometry_);
  return {shm::SpscConsumer(indices(*page_, ring), rings_[ring], sizes.bytes[ring]),
          shm::SpscConsumer(indices(*page_, ring + 3), rings_[ring + 3], sizes.bytes[ring + 3])};
}

}  // namespace phalanx::call
