#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "ipc/base/bytes.h"
#include "ipc/base/ids.h"

namespace phalanx::core {

/// What the orderer tells of one origin's submit stream.
struct OriginRow {
  Position received = 0;
  Position limit = 0;  ///< The origin may send up to here.
};

/// A node's status frame for one lane: progress, flow control and heartbeat. Every field only grows
/// within a view, so rows merge by maximum, in any order and any number of times.
struct Row {
  Position received = 0;    ///< Contiguous log bytes this node has.
  Position limit = 0;       ///< How far it lets the orderer go.
  Position log_end = 0;     ///< The end of the log as far as it knows.
  Position stream_end = 0;  ///< The end of its own submit stream.
  Position bulk_end =
      0;  ///< Where a record that waits for the bulk grant would end; 0: none waits.
  std::uint64_t hash_index = 0;  ///< Checkpoint of the order hash; 0: none yet.
  std::uint64_t hash = 0;
  std::uint32_t handovers =
      0;  ///< Hand-overs in its contiguous log: names the orderer it speaks for or to.
  bool distrusts_itself = false;  ///< It was descheduled a moment ago.
  bool orderer = false;
  std::uint8_t origin_count = 0;  ///< Members of the view when it is the orderer, else 0.
  std::array<OriginRow, kNodesMax> origins;  ///< By member rank.
};

inline constexpr std::size_t kRowFixedBytes = 64;
inline constexpr std::size_t kRowBytesMax = kRowFixedBytes + 16 * kNodesMax;

/// Returns the bytes written.
[[nodiscard]] std::size_t encode_row(const Row& row,
                                     std::span<std::byte, kRowBytesMax> out) noexcept;
/// False unless the length and every field are what encode_row() writes.
[[nodiscard]] bool decode_row(std::span<const std::byte> in, Row& out) noexcept;

/// Asks for ranges of the log (of the current or the old view) or of the receiver's own stream.
struct Nak {
  enum class What : std::uint8_t { Log = 1, Stream = 2 };
  struct Span {
    Position from = 0;
    Position to = 0;
  };
  static constexpr std::size_t kSpansMax = 16;

  What what = What::Log;
  std::uint8_t count = 0;
  std::array<Span, kSpansMax> spans;
};

inline constexpr std::size_t kNakBytesMax = 8 + 16 * Nak::kSpansMax;

[[nodiscard]] std::size_t encode_nak(const Nak& nak,
                                     std::span<std::byte, kNakBytesMax> out) noexcept;
[[nodiscard]] bool decode_nak(std::span<const std::byte> in, Nak& out) noexcept;

}  // namespace phalanx::core
