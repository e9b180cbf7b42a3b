#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/base/ids.h"

namespace phalanx::shm {

/// The id of a group: the first 8 bytes of SHA-256 of its name, little-endian. Needs libc only, so
/// that the client library and the worker share it. `bytes` is at most kGroupNameBytesMax.
[[nodiscard]] GroupId group_id(const void* name, std::size_t bytes) noexcept;

/// SHA-256 (FIPS 180-4) of a short text. Not for secrets: it is written for size.
void sha256(const void* data, std::size_t bytes, std::uint8_t out[32]) noexcept;

}  // namespace phalanx::shm
