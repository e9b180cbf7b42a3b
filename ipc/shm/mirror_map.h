#pragma once

#include <cstddef>
#include <cstdint>

namespace phalanx::shm {

/// Maps `bytes` of `fd` from `offset` twice, back to back, so that a range that starts in the first
/// copy and runs over its end goes on at the beginning. Needs libc only: the client library maps
/// its rings with it too. `bytes` and `offset` are multiples of the file's page size.
///
/// @return The first copy, or nullptr with errno set.
[[nodiscard]] std::byte* map_mirrored(int fd, std::uint64_t offset, std::uint64_t bytes,
                                      bool writable) noexcept;

void unmap_mirrored(std::byte* data, std::uint64_t bytes) noexcept;

/// A memfd of `bytes` plain pages (a multiple of their size) that nobody can shrink or grow, of
/// which the first `allocated_bytes` are there now and the rest as it is touched. Needs libc only.
///
/// @return The descriptor, or -1 with errno set.
[[nodiscard]] int make_sealed_memory(const char* name, std::uint64_t bytes,
                                     std::uint64_t allocated_bytes) noexcept;

/// Sizes and seals a fresh memfd, as make_sealed_memory() does. False leaves errno.
[[nodiscard]] bool size_and_seal(int fd, std::uint64_t bytes,
                                 std::uint64_t allocated_bytes) noexcept;

/// The size of the pages behind `fd` (2 MiB for hugetlb), or 0 when `fd` cannot be asked.
[[nodiscard]] std::uint64_t page_bytes_of(int fd) noexcept;

}  // namespace phalanx::shm
