#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::shm {

/// The memory that data plane and control plane share. Made by the data plane, passed as a sealed
/// memfd; outlives the control plane. One writer each part, named beside it. Fixed-width plain
/// data.
inline constexpr std::uint64_t kControlMagic = 0x4c5254'4358'4850;  // "PHXCTRL"
inline constexpr std::uint32_t kControlVersion = 3;
inline constexpr std::size_t kControlRingBytes = std::size_t{2} << 20;
inline constexpr std::size_t kControlMessageBytesMax = (std::size_t{1} << 20) + 8192;
inline constexpr std::size_t kAttemptBytesMax = 64 * 1024;
inline constexpr std::size_t kObituaryBytesMax = 512;

/// What the worker counts. Append only: tools read them by name.
enum class Counter : std::uint8_t {
  Turns,
  IdleTurns,
  Sleeps,
  WakesAsked,
  RxFrames,
  RxBytes,
  TxFrames,
  TxBytes,
  RxMalformed,  ///< Too short, not ours, lengths that no correct node writes.
  RxOtherVersion,
  RxOwnNode,        ///< Says that this node sent it: an echo, or two nodes with one id.
  RxUnknownSender,  ///< Not a configured node.
  RxUnknownKey,     ///< Another cluster, key, view or incarnation.
  RxOtherReceiver,  ///< For an earlier incarnation of this node.
  RxReplayed,
  RxBadTag,
  RxOutOfRange,
  RxDuplicate,
  RxWrongState,
  RxNotMember,
  ControlMessagesIn,
  ControlMessagesOut,
  ControlMessagesLost,
  CommandsBad,
  EventsLost,
  Submitted,
  SubmittedBytes,
  SubmissionsRefused,
  ClientsBad,
  RecordsDelivered,
  RecordBytesDelivered,
  EventsDelivered,
  ClientsAttached,
  ClientsDetached,
  ClientsEvicted,
  ViewsInstalled,
  DistrustedMs,
  WireOverflow,   ///< Lost at the wire's receive ring, as far as the wire tells.
  WireRefused,    ///< Received and no frame for us.
  WireTxRefused,  ///< What the wire did not take.
  Count_,
};
inline constexpr std::size_t kCounters = static_cast<std::size_t>(Counter::Count_);
inline constexpr std::size_t kCounterSlots = 64;
static_assert(kCounters <= kCounterSlots);

/// How one lane stands.
struct LaneStatus {
  std::uint64_t view_sequence = 0;
  NodeId orderer = 0;
  std::uint32_t reserved = 0;
  std::uint64_t received = 0;    ///< Position.
  std::uint64_t limit = 0;       ///< Position.
  std::uint64_t delivered = 0;   ///< Records handed to local delivery since start.
  std::uint64_t order_hash = 0;  ///< Over the records of this view in order; equal at equal index.
};

/// What the worker saw of one configured peer.
struct PeerStatus {
  NodeId node = 0;  ///< 0: an unused entry.
  std::uint32_t distrusts_itself = 0;
  BootId boot;            ///< As of the installed view.
  TimeNs heard = 0;       ///< Last data frame on the slowest lane; 0 never in this view.
  TimeNs progressed = 0;  ///< Last time its `received` moved or had nothing to move for; 0 never.
};

/// What carries the frames.
struct TransportStatus {
  char driver[24] = {};  ///< Ends with a zero.
  std::uint32_t ports = 0;
  std::uint32_t ports_up = 0;
};

/// How long the worker did not turn although it was due: between the beginnings of two turns, or
/// beyond the time it had meant to sleep.
struct TurnGaps {
  TimeNs longest = 0;  ///< Since start.
  TimeNs recent = 0;   ///< In the last ten seconds, up to twenty.
};

/// Written whole by the worker at most every half millisecond, at every view change and before it
/// sleeps.
struct WorkerStatus {
  TimeNs written_at = 0;
  ViewId view;        ///< Installed; sequence 0: none yet.
  ViewId recovering;  ///< Attempt of the last BeginRecovery since the last Install, or none.
  std::uint32_t members = 0;
  std::uint32_t frozen = 0;
  std::uint32_t recovered = 0;  ///< For `recovering`.
  std::uint32_t lanes = 0;
  std::uint32_t clients = 0;
  std::uint32_t groups = 0;
  Member member[kNodesMax];
  LaneStatus lane[kLanesMax];
  PeerStatus peer[kNodesMax];  ///< Every configured node but this one.
  TransportStatus transport;
  TurnGaps gaps;
};

/// One direction of messages: u32 length, bytes, padding to 8. Indices run on for ever.
struct alignas(64) ControlRing {
  alignas(64) std::uint64_t head;  ///< Written by the producer.
  std::uint32_t consumer_sleeps;   ///< Set by the consumer, cleared by whoever rings.
  alignas(64) std::uint64_t tail;  ///< Written by the consumer.
  alignas(64) std::byte bytes[kControlRingBytes];
};

/// Two copies and which one counts, so that a writer killed half-way leaves the old one.
struct alignas(64) AttemptMemory {
  std::uint32_t current;  ///< 0 or 1.
  std::uint32_t length[2];
  std::byte bytes[2][kAttemptBytesMax];
};

struct ControlLayout {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t pid;
  std::uint64_t size;
  std::uint64_t config_hash;
  Member self;
  std::uint32_t witness;
  std::uint32_t obituary_bytes;
  std::byte obituary[kObituaryBytesMax];

  alignas(64) std::uint64_t counters[kCounterSlots];  // Worker.
  alignas(64) std::uint64_t status_round;             // Worker; odd while it writes.
  WorkerStatus status;                                // Worker.
  AttemptMemory attempt;                              // Control plane.
  ControlRing commands;                               // Control plane to worker.
  ControlRing events;                                 // Worker to control plane.
};

static_assert(std::is_trivially_copyable_v<WorkerStatus> &&
              std::is_standard_layout_v<ControlLayout>);
static_assert(sizeof(Member) == 20 && sizeof(ViewId) == 32 && sizeof(LaneStatus) == 48 &&
              sizeof(PeerStatus) == 40);
static_assert(sizeof(WorkerStatus) == 8 + 64 + 24 + 64 * 20 + 8 * 48 + 64 * 40 + 32 + 16);
static_assert(offsetof(ControlLayout, self) == 32 && offsetof(ControlLayout, counters) == 576);
static_assert(sizeof(ControlRing) == kControlRingBytes + 128);

}  // namespace phalanx::shm
