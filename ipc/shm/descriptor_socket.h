#pragma once

#include <sys/types.h>

#include <cstddef>

namespace phalanx::shm {

/// One packet with file descriptors over a Unix socket, as attaching needs it. Libc only; no call
/// waits.

inline constexpr std::size_t kDescriptorsOfPacketMax = 32;

/// Sends all bytes with `count` descriptors in one piece. False leaves errno.
[[nodiscard]] bool send_with_descriptors(int socket, const void* data, std::size_t bytes,
                                         const int* fds, std::size_t count) noexcept;

/// Receives into `data` and up to `most` (1 to kDescriptorsOfPacketMax) descriptors, close-on-exec,
/// into `fds`. What came beyond them is closed and still counted: the kernel rounds the space for
/// descriptors up, so that one more may come than was asked for.
///
/// @return As recvmsg(): bytes, 0 for a hang-up, -1 with errno.
[[nodiscard]] ssize_t receive_with_descriptors(int socket, void* data, std::size_t bytes, int* fds,
                                               std::size_t most, std::size_t& count) noexcept;

}  // namespace phalanx::shm
