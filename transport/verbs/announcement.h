#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "ipc/base/ids.h"
#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {

/// Where a node's queue pair is and what it takes, as it is told in a datagram of the kernel.
/// Nobody vouches for it: that is for the frames themselves.
struct Announcement {
  NodeId node = 0;
  std::uint32_t queue_pair = 0;  ///< 24 bits; 0 and 1 are the fabric's own.
  std::uint32_t qkey = 0;
  std::uint32_t frame_bytes = 0;  ///< The longest frame that it sends and takes.
  std::uint16_t lid = 0;          ///< On InfiniBand; else 0.
  bool asks = false;              ///< Wants to be told where the other one is.
  ibv_gid gid{};
};

inline constexpr std::size_t kAnnouncementBytes = 40;

[[nodiscard]] constexpr bool is_unicast_lid(std::uint16_t lid) noexcept {
  return lid != 0 && lid < 0xc000;
}

[[nodiscard]] std::array<std::byte, kAnnouncementBytes> encode(const Announcement& from) noexcept;
/// None for what is no announcement of this version, whole and in range.
[[nodiscard]] std::optional<Announcement> decode(std::span<const std::byte> from) noexcept;

}  // namespace phalanx::transport::verbs
