#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/bytes.h"
#include "ipc/base/ids.h"

namespace phalanx::core {

/// What a record is. The first six travel in logs; Transitional and View are written by a node
/// into its own log memory between two views, for its local readers only, and never leave it.
enum class RecordKind : std::uint8_t {
  App = 1,            ///< An application message. Payload: its bytes.
  Join = 2,           ///< client joins group. Payload: u32 process id, then the group's name.
  Leave = 3,          ///< client leaves group. Payload: u8 reason (LeaveReason).
  GroupState = 4,     ///< A node's ordered joins at the start of a view: see group_state.h.
  HandOver = 5,       ///< Payload: u32 node that orders from the next record on.
  Pad = 6,            ///< Nothing: fills a bulk grant that its client left behind.
  Transitional = 64,  ///< What follows, up to View, is the transitional part of the old view.
  View = 65,          ///< A new view begins: see view_record.h.
};

enum class LeaveReason : std::uint8_t { Asked = 1, ClientDied = 2, Evicted = 3 };

inline constexpr std::uint8_t kRecordSafe = 1;

/// Records are 8-byte aligned: a 32-byte header, the payload, zero padding.
inline constexpr std::size_t kRecordHeaderBytes = 32;

struct RecordHeader {
  std::uint32_t payload_bytes = 0;
  RecordKind kind = RecordKind::App;
  std::uint8_t flags = 0;
  NodeId origin = 0;
  ClientId client = 0;
  Position stream_position = 0;  ///< Of the record's first byte in its origin's stream.
  GroupId group = 0;
};

[[nodiscard]] constexpr std::size_t record_bytes(std::size_t payload_bytes) noexcept {
  return kRecordHeaderBytes + ((payload_bytes + 7) & ~std::size_t{7});
}

inline void encode_record_header(const RecordHeader& h, std::byte* out) noexcept {
  store_le<std::uint32_t>(out, h.payload_bytes);
  store_le<std::uint8_t>(out + 4, static_cast<std::uint8_t>(h.kind));
  store_le<std::uint8_t>(out + 5, h.flags);
  store_le<std::uint16_t>(out + 6, 0);
  store_le<std::uint32_t>(out + 8, h.origin);
  store_le<std::uint32_t>(out + 12, h.client);
  store_le<std::uint64_t>(out + 16, h.stream_position);
  store_le<std::uint64_t>(out + 24, h.group);
}

[[nodiscard]] inline RecordHeader decode_record_header(const std::byte* in) noexcept {
  return {.payload_bytes = load_le<std::uint32_t>(in),
          .kind = static_cast<RecordKind>(load_le<std::uint8_t>(in + 4)),
          .flags = load_le<std::uint8_t>(in + 5),
          .origin = load_le<std::uint32_t>(in + 8),
          .client = load_le<std::uint32_t>(in + 12),
          .stream_position = load_le<std::uint64_t>(in + 16),
          .group = load_le<std::uint64_t>(in + 24)};
}

}  // namespace phalanx::core
