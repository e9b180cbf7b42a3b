#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/ids.h"

namespace phalanx::sim {

/// Stands for a derived key: who holds the same (view, sender, boot) holds the same key, and a tag
/// made with another one, or over other bytes, does not compare. No secrecy; payloads stay
/// readable.
struct SealKey {
  std::uint64_t key = 0;
  std::uint32_t tag = 0;  ///< The header's key_tag.
};

[[nodiscard]] SealKey view_key(const ViewId& view, Member sender) noexcept;
[[nodiscard]] SealKey boot_key(Member sender) noexcept;

/// Writes the 16-byte tag over `frame` without its last 16 bytes.
void seal(const SealKey& key, std::span<std::byte> frame) noexcept;
[[nodiscard]] bool tag_compares(const SealKey& key, std::span<const std::byte> frame) noexcept;

}  // namespace phalanx::sim
