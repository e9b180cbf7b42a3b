#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::shm {

struct MemoryOptions {
  const char* name = "phalanx";  ///< Shown in /proc/PID/maps.
  bool hugetlb = false;   ///< Huge pages when there are free ones and the size is a multiple.
  bool prefault = false;  ///< Allocate every page now, so that no later access faults.
};

/// A memfd of `bytes`, sealed: nobody who gets the descriptor can shrink or grow it. Holes can
/// still be punched: a plain page is then there again, empty, when it is touched (unless memory has
/// run out), but a huge page may not be, which is SIGBUS: no huge pages in what others can write.
/// Falls back to plain pages when huge ones cannot be had. Keeps the caller's PreferNode.
[[nodiscard]] Expected<Fd, Error> create_memory(std::uint64_t bytes,
                                                const MemoryOptions& options = {});

/// Owns a ring of bytes that is mapped twice, back to back: [data, data + 2 * bytes) is accessible
/// and data[i] is data[i + bytes], so that no range of up to `bytes` ever wraps. Move-only; the
/// mapping is all it owns, descriptors stay with the caller. Not thread-safe; the bytes are
/// whoever's they are.
class MirroredRing {
 public:
  enum class Access : std::uint8_t { ReadOnly, ReadWrite };

  MirroredRing() = default;
  MirroredRing(MirroredRing&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MirroredRing& operator=(MirroredRing&& other) noexcept;
  ~MirroredRing();

  /// A ring in memory of its own, zeroed. `bytes` is a power of two and a multiple of the page
  /// size.
  [[nodiscard]] static Expected<MirroredRing, Error> create(std::uint64_t bytes,
                                                            const MemoryOptions& options = {});

  /// A ring in [offset, offset + bytes) of a memfd that several rings may share.
  [[nodiscard]] static Expected<MirroredRing, Error> map(int fd, std::uint64_t offset,
                                                         std::uint64_t bytes,
                                                         Access access = Access::ReadWrite);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  MirroredRing(std::byte* data, std::uint64_t bytes) noexcept : data_(data), bytes_(bytes) {}

  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace phalanx::shm
