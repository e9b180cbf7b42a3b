#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/shm/channel_layout.h"
#include "ipc/shm/spsc_byte_ring.h"

namespace phalanx::call {

/// What a connection's memory holds, and what both sides say when they connect. One host: fields
/// are in host order.
///
///   memfd  [ page | request >> | response << | dispatch << | bulk of each | buffers ]
///
/// Each ring is a shm::BulkProducer/BulkConsumer pair; a bulk ring is there only when a message can
/// pass half its ring. Buffers are named by offset, never by address.

inline constexpr std::uint64_t kMagic = 0x316c6c6163786870;  ///< "phxcall1".
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr unsigned kOutstandingMax = 64;
inline constexpr std::uint64_t kBufferBytesMax = 1u << 30;

// --- Records ---

enum class RequestKind : std::uint8_t {
  Call = 1,        ///< RequestBody, then the bytes: a reply is expected.
  Post = 2,        ///< RequestBody, then the bytes.
  BufferCall = 3,  ///< RequestBody, then a BufferRange that holds the bytes.
  BufferPost = 4,
};
struct RequestBody {
  std::uint32_t id;
  std::uint32_t slot;      ///< Of a call: below outstanding_max, and not in use.
  std::uint32_t sequence;  ///< Comes back with the reply.
  /// Of a call: what the reply may have at most. Of a post: how many bytes at the end are no part
  /// of it, because less was written than was reserved.
  std::uint32_t reply_bytes;
};
static_assert(sizeof(RequestBody) == 16);

struct BufferRange {
  std::uint64_t offset;
  std::uint64_t bytes;
};
static_assert(sizeof(BufferRange) == 16);

enum class ResponseKind : std::uint8_t { Reply = 1 };
struct ResponseBody {
  std::uint32_t slot;
  std::uint32_t sequence;
  std::uint32_t status;  ///< A phx_status: PHX_OK comes with bytes.
  std::uint32_t reserved;
};
static_assert(sizeof(ResponseBody) == 16);

enum class EventKind : std::uint8_t { Event = 1 };
struct EventBody {
  std::uint32_t id;
  std::uint32_t reserved;
};
static_assert(sizeof(EventBody) == 8);

// --- The page ---

/// Ring sizes are powers of two. A bulk ring has 0 bytes when there is none.
struct Geometry {
  std::uint64_t request_bytes, response_bytes, dispatch_bytes;
  std::uint64_t request_bulk_bytes, response_bulk_bytes, dispatch_bulk_bytes;
  std::uint64_t buffer_bytes;
  std::uint32_t message_bytes_max;
  std::uint32_t outstanding_max;
};
static_assert(sizeof(Geometry) == 64);

enum class State : std::uint32_t { Open = 1, Disconnected = 2, Evicted = 3, Broken = 4 };

/// Bits of Page::client_waits: the client sets one and looks once more; the server takes it away
/// and sends a byte: for an event over the connection's socket, for the others over the wake
/// socket.
inline constexpr std::uint32_t kWaitsForEvent = 1;
inline constexpr std::uint32_t kWaitsForReply = 2;
inline constexpr std::uint32_t kWaitsForRoom = 4;

struct Page {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t struct_bytes;
  Geometry geometry;

  // Written by the server.
  alignas(64) std::uint32_t state;  ///< State.
  std::uint32_t flow_control;       ///< Non-zero: events are held back.

  // Set by the server, taken away by the client, which sends a byte over the connection's socket.
  alignas(64) std::uint32_t server_sleeps;
  std::uint32_t server_waits_for_room;  ///< In the response or dispatch ring.

  alignas(64) std::uint32_t client_waits;

  /// How far this client has read the broadcast log; where it joined, at first.
  shm::RingIndex broadcast_head;

  shm::RingIndices request, response, dispatch, request_bulk, response_bulk, dispatch_bulk;
};
static_assert(sizeof(Page) <= kPageBytes && alignof(Page) == 64);

/// The first page of the broadcast log's memory; the ring of events follows. Written by the server,
/// which alone can.
struct BroadcastPage {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t struct_bytes;
  std::uint64_t ring_bytes;
  shm::RingIndex tail;
};
static_assert(sizeof(BroadcastPage) == 128);

// --- Connecting ---

/// Registered for membarrier(): see barrier.h.
inline constexpr std::uint32_t kBarriers = 1;
/// Wanted; granted, with one descriptor more.
inline constexpr std::uint32_t kBroadcast = 2;
/// Of the reply: the last descriptor is the server's attachment.
inline constexpr std::uint32_t kAttachment = 4;

struct ConnectRequest {
  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t bytes = 128;
  std::uint32_t service = 0;
  std::uint32_t outstanding_max = 0;
  std::uint64_t request_bytes = 0, response_bytes = 0, dispatch_bytes = 0;
  std::uint64_t buffer_bytes = 0;
  std::uint32_t message_bytes_max = 0;
  std::uint32_t flags = 0;  ///< kBarriers, kBroadcast.
  char program[32] = {};
  std::byte unused[32] = {};
};
static_assert(sizeof(ConnectRequest) == 128);

/// With kConnectDescriptors when the status is PHX_OK: the memory, and the wake socket; then those
/// that the flags name.
struct ConnectReply {
  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t bytes = 128;
  std::uint32_t status = 0;  ///< A phx_status.
  /// kBarriers: both sides may publish with plain stores; kBroadcast, kAttachment.
  std::uint32_t flags = 0;
  Geometry geometry{};
  std::byte unused[40] = {};
};
static_assert(sizeof(ConnectReply) == 128);
inline constexpr std::size_t kConnectDescriptors = 2;
/// With the broadcast log's, and the attachment.
inline constexpr std::size_t kConnectDescriptorsMost = 4;

}  // namespace phalanx::call
