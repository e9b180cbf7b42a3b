#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ipc/include/phalanx/ipc_client.h"

namespace phalanx::call {

/// The bytes of all parts. False: NULL where there are bytes, too many parts, or a sum that does
/// not fit.
[[nodiscard]] inline bool sum_parts(const iovec* parts, std::size_t count,
                                    std::uint64_t& total) noexcept {
  total = 0;
  if ((parts == nullptr && count > 0) || count > PHX_IPC_PARTS_MAX) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (parts[i].iov_base == nullptr && parts[i].iov_len > 0) return false;
    if (__builtin_add_overflow(total, std::uint64_t{parts[i].iov_len}, &total)) return false;
  }
  return true;
}

inline void gather(std::byte* to, const iovec* parts, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (parts[i].iov_len > 0) std::memcpy(to, parts[i].iov_base, parts[i].iov_len);
    to += parts[i].iov_len;
  }
}

}  // namespace phalanx::call
