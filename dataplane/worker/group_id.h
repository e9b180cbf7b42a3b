#pragma once

#include <cstddef>
#include <span>

#include "ipc/base/ids.h"

namespace phalanx::worker {

/// The first 8 bytes of SHA-256 of the name, little-endian. No allocation.
[[nodiscard]] GroupId group_id(std::span<const std::byte> name) noexcept;

}  // namespace phalanx::worker
