#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/call/layout.h"
#include "ipc/shm/bulk_ring.h"

namespace phalanx::call {

/// What the two sides want a connection's memory to be.
struct Sizes {
  std::uint64_t request_bytes = 0, response_bytes = 0, dispatch_bytes = 0, buffer_bytes = 0;
  std::uint64_t message_bytes_max = 0;
  std::uint32_t outstanding_max = 0;
};

/// The geometry for those sizes: rounded up, and brought into the ranges that every peer takes.
[[nodiscard]] Geometry geometry_for(const Sizes& wanted) noexcept;
/// Whether a peer's geometry is one that geometry_for() could have made.
[[nodiscard]] bool is_sane(const Geometry& geometry) noexcept;
[[nodiscard]] std::uint64_t memory_bytes(const Geometry& geometry) noexcept;
/// The part of it that is there from the start: all but bulk rings and buffers.
[[nodiscard]] std::uint64_t allocated_bytes(const Geometry& geometry) noexcept;

/// One side's mappings of a connection's memory. Libc only; not inherited by a child of fork().
class Mapping {
 public:
  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { unmap(); }

  /// False leaves errno, and nothing mapped. `geometry` is sane and `fd` has memory_bytes() of it.
  [[nodiscard]] bool map(int fd, const Geometry& geometry) noexcept;
  void unmap() noexcept;
  /// In a child of fork(): they are not there.
  void forget() noexcept;

  [[nodiscard]] Page* page() const noexcept { return page_; }
  [[nodiscard]] const Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] std::byte* buffers() const noexcept { return buffers_; }

  enum Ring : std::uint8_t { kRequest = 0, kResponse = 1, kDispatch = 2 };
  [[nodiscard]] shm::BulkProducer producer(Ring ring) const noexcept;
  [[nodiscard]] shm::BulkConsumer consumer(Ring ring) const noexcept;

 private:
  Page* page_ = nullptr;
  std::byte* rings_[6] = {};  ///< Request, response, dispatch; then their bulk rings.
  std::byte* buffers_ = nullptr;
  Geometry geometry_{};
};

}  // namespace phalanx::call
