#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "ipc/base/ids.h"

namespace phalanx::wire {

/// Byte tables: deploy/doc/wire.md. Everything is little-endian.
inline constexpr std::uint8_t kMagic = 0xA7;
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 32;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kOverheadBytes = kHeaderBytes + kTagBytes;

/// What a frame carries. Data frames (below Control) are sealed with the view key of their sender,
/// control frames with its boot key.
enum class FrameType : std::uint8_t {
  Ordered = 1,      ///< A range of the log, from the orderer. position = log position.
  Submit = 2,       ///< A range of the sender's submit stream. position = stream position.
  Row = 3,          ///< The sender's status row for one lane. position = 0.
  Nak = 4,          ///< Asks for ranges of a log or of a stream. position = 0.
  RecoverLog = 5,   ///< A range of the old view's log, sent during a view change.
  RecoverTail = 6,  ///< A range of the sender's own stream, sent during a view change.
  RecoverNak = 7,   ///< Asks for RecoverLog or RecoverTail ranges.
  Control = 32,     ///< A fragment of a control message (hello, prepare, report, plan, done).
};

/// The first 32 bytes of every frame; the AEAD's associated data.
struct FrameHeader {
  FrameType type = FrameType::Row;
  std::uint8_t key_id = 0;  ///< Low byte of the cluster key's id.
  LaneId lane = 0;
  std::uint8_t links_heard =
      0;  ///< Bit L: the sender hears its members over link L. 0 of one link.
  NodeId sender = 0;
  std::uint32_t key_tag =
      0;  ///< Selects the sender's key: first 4 bytes of HKDF over (view id, boot id).
  std::uint64_t counter = 0;  ///< Nonce counter within (key, nonce space).
  Position position = 0;
};

inline constexpr std::uint8_t kLinksHeardMax = 3;

/// Writes the 32 bytes.
void encode(const FrameHeader& header, std::span<std::byte, kHeaderBytes> out) noexcept;

/// Empty when the frame is shorter than header and tag, or magic, version or type are not ours.
/// Says nothing about who sent it: that is the tag's business.
[[nodiscard]] std::optional<FrameHeader> decode(std::span<const std::byte> frame) noexcept;

}  // namespace phalanx::wire
