#pragma once

#include <cstddef>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/verbs/calls.h"

namespace phalanx::transport::verbs {

/// One queue's share of the region: `depth` buffers of `stride` bytes from `memory` on.
struct Buffers {
  std::byte* memory = nullptr;
  std::size_t stride = 0;
  std::uint32_t key = 0;
  std::uint32_t frame_bytes = 0;
  std::uint32_t depth = 0;
};

/// All buffers of a transport: one mapping, of hugepages where there are some, registered once.
/// Move-only. Cold.
class Region {
 public:
  [[nodiscard]] static Expected<Region, Error> create(ibv_pd* pd, std::size_t bytes);
  Region(Region&& other) noexcept;
  Region& operator=(Region&&) = delete;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint32_t key() const noexcept { return registration_->lkey; }

 private:
  Region(std::byte* data, std::size_t bytes) : data_(data), bytes_(bytes) {}
  std::byte* data_;
  std::size_t bytes_;
  ibv_mr* registration_ = nullptr;
};

}  // namespace phalanx::transport::verbs
