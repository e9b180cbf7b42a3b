#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

namespace phalanx {

/// A configured node. 0 is never a node.
using NodeId = std::uint32_t;
using LaneId = std::uint16_t;
/// Bytes from the start of a lane's log in one view, or from the start of a node's submit stream.
using Position = std::uint64_t;
/// A client channel of one node; never used twice while the node's data plane lives. 0 is none.
using ClientId = std::uint32_t;
/// The first 8 bytes of SHA-256 of a group's name, little-endian.
using GroupId = std::uint64_t;

inline constexpr std::size_t kNodesMax = 64;
inline constexpr std::size_t kLanesMax = 8;
inline constexpr std::size_t kGroupNameBytesMax = 128;

/// 128 random bits, drawn by a process when it starts: an incarnation. All zero is none.
struct BootId {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const BootId&, const BootId&) = default;
  [[nodiscard]] bool is_none() const noexcept { return *this == BootId{}; }
};

struct Member {
  NodeId node = 0;
  BootId boot;

  friend auto operator<=>(const Member&, const Member&) = default;
};

/// Names an agreed membership. The sequence grows for ever, also across restarts; sequence 0 is
/// "no view". Ordered by sequence first.
struct ViewId {
  std::uint64_t sequence = 0;
  NodeId representative = 0;
  BootId boot;  ///< The representative's.

  friend auto operator<=>(const ViewId&, const ViewId&) = default;
  [[nodiscard]] bool is_none() const noexcept { return sequence == 0; }
};

/// "17.1.3f9a2c41": sequence, representative, the first four bytes of its boot id in hex.
[[nodiscard]] std::string to_string(const ViewId& view);
/// All 32 hex digits.
[[nodiscard]] std::string to_string(const BootId& boot);

}  // namespace phalanx
