#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/base/ids.h"
#include "ipc/shm/spsc_byte_ring.h"

namespace phalanx::shm {

/// What a client channel holds. Both ends run on one host: fields are in host order. Ring records
/// carry a kind and flags in their tag and start with the body structs below; a record that is
/// longer than half its ring has an empty body and kBodyInBulk, and its body is the next record of
/// the bulk ring of the same direction. A body that came out shorter than the room that was taken
/// for it has kBodyShortened in the tag of the record that it lies in.

inline constexpr std::uint64_t kChannelMagic = 0x316e616863786870;  ///< "phxchan1".
inline constexpr std::uint32_t kChannelVersion = 2;
inline constexpr std::uint64_t kChannelRingBytesMin = 4096;
inline constexpr std::uint64_t kChannelRingBytesMax = 64u << 20;
inline constexpr std::uint32_t kMessageBytesMax = 16u << 20;

// --- Submit ring: client -> worker ---

enum class SubmissionKind : std::uint8_t {
  Multicast = 1,  ///< SubmissionBody, then the message.
  Join = 2,       ///< SubmissionBody, then the group's name.
  Leave = 3,      ///< SubmissionBody.
  Open = 4,       ///< SubmissionBody, then the name: the client is going to send without joining.
  Close = 5,      ///< SubmissionBody: no longer. A membership stays.
};
inline constexpr std::uint8_t kSubmissionSafe = 1;

struct SubmissionBody {
  GroupId group;
};
static_assert(sizeof(SubmissionBody) == 8);

// --- Delivery ring: worker -> client ---

enum class EventKind : std::uint8_t {
  Message = 1,       ///< MessageEvent, then the message.
  GroupView = 2,     ///< GroupViewEvent, then members, left, joined (GroupMember), then the name.
  NodeView = 3,      ///< NodeViewEvent, then members, left, joined (u32 node ids).
  Transitional = 4,  ///< No body: what follows up to the NodeView is the old view's last part.
  Refused = 5,       ///< RefusedEvent: a join or open had no effect.
};
inline constexpr std::uint8_t kEventSafe = 1;
inline constexpr std::uint8_t kEventTransitional = 2;
inline constexpr std::uint8_t kEventQuorate = 4;  ///< Of a NodeView.

struct MessageEvent {
  GroupId group;
  NodeId node;  ///< The sender.
  ClientId client;
};
static_assert(sizeof(MessageEvent) == 16);

enum class MemberReason : std::uint32_t {
  None = 0,  ///< In the list of members.
  Joined = 1,
  Left = 2,
  ClientDied = 3,
  Evicted = 4,
  NodeJoined = 5,  ///< Its node entered the view.
  NodeLeft = 6,    ///< Its node left the view or is not in our transitional set.
};

struct GroupMember {
  NodeId node;
  ClientId client;
  std::uint32_t pid;
  MemberReason reason;
};
static_assert(sizeof(GroupMember) == 16);

struct GroupViewEvent {
  GroupId group;
  std::uint32_t members;
  std::uint32_t left;
  std::uint32_t joined;
  std::uint32_t name_bytes;
};
static_assert(sizeof(GroupViewEvent) == 24);

struct NodeViewEvent {
  std::uint64_t sequence;
  NodeId representative;
  std::uint32_t members;
  std::uint32_t left;
  std::uint32_t joined;
};
static_assert(sizeof(NodeViewEvent) == 24);

enum class RefusedReason : std::uint32_t { Access = 1, Name = 2, Limit = 3 };

struct RefusedEvent {
  GroupId group;
  RefusedReason reason;
  std::uint32_t kind;  ///< The SubmissionKind that was refused.
};
static_assert(sizeof(RefusedEvent) == 16);

// --- Record tags ---

/// Set by the channel, never by its users.
inline constexpr std::uint8_t kBodyInBulk = 0x80;
/// Of a submission: the last 8 bytes of the record (which ends between words) say how many bytes
/// the body really has; it ends before them.
inline constexpr std::uint8_t kBodyShortened = 0x40;

[[nodiscard]] constexpr std::uint32_t make_tag(std::uint8_t kind, std::uint8_t flags) noexcept {
  return std::uint32_t{kind} | std::uint32_t{flags} << 8;
}
[[nodiscard]] constexpr std::uint8_t tag_kind(std::uint32_t tag) noexcept {
  return static_cast<std::uint8_t>(tag);
}
[[nodiscard]] constexpr std::uint8_t tag_flags(std::uint32_t tag) noexcept {
  return static_cast<std::uint8_t>(tag >> 8);
}

// --- The control page ---

/// Sizes, fixed at attach. Ring sizes are powers of two; bulk sizes are 0 when every message fits
/// into half a ring.
struct ChannelGeometry {
  std::uint64_t submit_bytes;
  std::uint64_t delivery_bytes;
  std::uint64_t submit_bulk_bytes;
  std::uint64_t delivery_bulk_bytes;
  std::uint64_t page_bytes;  ///< Of the control page: the rings follow it in the memfd.
  std::uint32_t message_bytes_max;
  std::uint32_t group_name_bytes_max;
  NodeId node;
  ClientId client;
  std::uint64_t log_bytes;  ///< Of the ring of the shared log; 0: this client has none.
};
static_assert(sizeof(ChannelGeometry) == 64);

enum class ChannelState : std::uint32_t { Open = 1, Disconnected = 2, Evicted = 3 };
enum class EvictReason : std::uint32_t { None = 0, Lagged = 1, Administrator = 2 };

/// Bits of client_waits: what the client wants to be woken for. The client sets one and looks once
/// more; the worker takes it away and wakes the client by a byte on its socket.
inline constexpr std::uint32_t kWaitsForEvent = 1;
inline constexpr std::uint32_t kWaitsForRoom = 2;

inline constexpr std::uint64_t kNotInLog = ~std::uint64_t{0};

struct ChannelPage {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t page_struct_bytes;
  ChannelGeometry geometry;

  // Written by the worker.
  alignas(64) std::uint32_t state;  ///< ChannelState.
  std::uint32_t evict_reason;       ///< EvictReason, valid once state is Evicted.
  /// 1: between setting worker_sleeping and its last look the worker has every running thread of
  /// the client pass a fence, if that registered (barrier.h): it may publish without one.
  std::uint32_t worker_fences;

  // Set by a side that is going to sleep, taken away by the one that wakes it.
  alignas(64) std::uint32_t worker_sleeping;
  alignas(64) std::uint32_t client_waits;

  RingIndices submit;
  RingIndices delivery;
  RingIndices submit_bulk;
  RingIndices delivery_bulk;

  // Of a client that reads the shared log.
  RingIndex log_start;  ///< By the worker: where it begins; kNotInLog before that is known.
  RingIndex log_head;   ///< By the client: how far it has read; kNotInLog before it has begun.
};
static_assert(sizeof(ChannelPage) == 960 && alignof(ChannelPage) == 64);
static_assert(offsetof(ChannelPage, state) == 128 && offsetof(ChannelPage, submit) == 320);
static_assert(sizeof(ChannelPage) <= 4096);

}  // namespace phalanx::shm
