#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::transport::dpdk {

/// Memory of ours that DPDK knows as external: a sealed memfd, of hugepages where EAL runs on
/// them.
/// Its descriptor can be passed to a process that knows nothing of DPDK; nothing of it has a name
/// in a file system, so nothing is left of it when the process is killed. EAL must run. Cold.
class PoolMemory {
 public:
  /// At least `bytes`. The error says how many hugepages there are and how many are needed.
  [[nodiscard]] static Expected<PoolMemory, Error> create(std::uint64_t bytes);
  PoolMemory(PoolMemory&& other) noexcept;
  PoolMemory& operator=(PoolMemory&&) = delete;
  ~PoolMemory();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  PoolMemory(Fd fd, std::span<std::byte> bytes) noexcept : fd_(std::move(fd)), bytes_(bytes) {}

  Fd fd_;
  std::span<std::byte> bytes_;  ///< Mapped and registered; empty: moved from.
};

}  // namespace phalanx::transport::dpdk
