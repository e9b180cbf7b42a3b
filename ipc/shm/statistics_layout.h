#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::shm {

/// The memory in which a data plane counts: a StatisticsLayout for each of its workers, one behind
/// the other, which that worker alone writes. The memfd is sealed against all other writers and
/// passed on to whoever may attach: see statistics_memory.h. It outlives its writer for as long as
/// somebody maps it. Fixed-width plain data, host order.
inline constexpr std::uint64_t kStatisticsMagic = 0x3174'6174'7358'4850;  // "PHXstat1"
inline constexpr std::uint32_t kStatisticsVersion = 6;

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
  BusyNs,         ///< Time in turns that found work, to the beginning of the next turn.
  RxBursts,       ///< Reads of the wire that brought frames.
  TxBursts,       ///< Writes to it.
  NaksSent,       ///< Requests for what was lost on the way here.
  NaksHeard,      ///< Requests of others for what was lost on the way there.
  RepairsSent,    ///< Frames sent again for them.
  Divergences,    ///< Rows whose order hash contradicted ours: never, or tell us.
  Handovers,      ///< Of the ordering of a lane, in all views.
  RxCopies,       ///< With two links: taken already, as a rule over the other one.
  Count_,
};
inline constexpr std::size_t kCounters = static_cast<std::size_t>(Counter::Count_);
inline constexpr std::size_t kCounterSlots = 64;
/// A worker has a lane at least.
inline constexpr std::size_t kWorkersMax = kLanesMax;
static_assert(kCounters <= kCounterSlots);

/// How one lane stands.
struct LaneStatus {
  std::uint64_t view_sequence = 0;
  NodeId orderer = 0;
  std::uint32_t poisoned = 0;    ///< 1: its log broke a rule; this node must be left out.
  std::uint64_t received = 0;    ///< Position.
  std::uint64_t limit = 0;       ///< Position.
  std::uint64_t stable = 0;      ///< Position.
  std::uint64_t window = 0;      ///< Bytes that may be under way at most.
  std::uint64_t delivered = 0;   ///< Records handed to local delivery since start.
  std::uint64_t order_hash = 0;  ///< Over the records of this view in order; equal at equal index.
  // Since start:
  std::uint64_t records = 0;    ///< Ordered ones, seen here.
  std::uint64_t naks_sent = 0;  ///< As the counters of these names.
  std::uint64_t naks_heard = 0;
  std::uint64_t repairs_sent = 0;
  std::uint64_t divergences = 0;
  std::uint64_t handovers = 0;
};

/// What the worker saw of one configured peer.
struct PeerStatus {
  NodeId node = 0;  ///< 0: an unused entry.
  std::uint32_t distrusts_itself = 0;
  BootId boot;            ///< As of the installed view.
  TimeNs heard = 0;       ///< Last data frame on the slowest lane; 0 never in this view.
  TimeNs progressed = 0;  ///< Last time its `received` moved or had nothing to move for; 0 never.
  std::uint64_t naks_heard = 0;  ///< From it, since start: what was lost on the way there.
  std::uint64_t naks_sent = 0;   ///< To it, since start: what was lost on the way here.
};

inline constexpr std::size_t kLinksShown = 2;

/// One of several networks that carry the frames.
struct LinkStatus {
  char driver[24] = {};  ///< Ends with a zero.
  std::uint32_t ports = 0;
  std::uint32_t ports_up = 0;
  std::uint32_t used = 0;       ///< 1: frames for members go over it.
  std::uint32_t heard = 0;      ///< 1: every member is heard over it that is heard at all.
  std::uint64_t rx_frames = 0;  ///< Since start, as all below.
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_overflow = 0;
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_refused = 0;
};

/// What carries the frames.
struct TransportStatus {
  char driver[24] = {};  ///< Ends with a zero.
  std::uint32_t ports = 0;
  std::uint32_t ports_up = 0;
  char trouble[80] = {};  ///< What last broke; ends with a zero.
  std::uint64_t troubles = 0;
  TimeNs trouble_at = 0;
  std::uint32_t links = 0;  ///< Rows in use below; 0 where there is only one network.
  std::uint32_t reserved = 0;
  LinkStatus link[kLinksShown];
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
  TimeNs evicted_at = 0;  ///< The last eviction of a client; 0: never.
  std::uint32_t quorate = 0;
  std::int32_t cpu = -1;   ///< Core that the worker is pinned to; -1: none.
  std::int32_t numa = -1;  ///< NUMA node that its memory is asked of; -1: wherever it comes from.
  std::uint32_t reserved = 0;
};

/// Rows of the tables below. More of them go on being counted in the worker, unlisted.
inline constexpr std::size_t kListedGroupsMax = 256;
inline constexpr std::size_t kListedClientsMax = 1024;
inline constexpr std::size_t kListedNameBytes = 64;

/// A group that has members anywhere.
struct GroupStatus {
  GroupId id = 0;
  LaneId lane = 0;
  std::uint32_t members = 0;  ///< Of all nodes.
  std::uint32_t local = 0;    ///< Of this one.
  std::uint32_t name_bytes = 0;
  char name[kListedNameBytes] = {};  ///< Its beginning; any bytes.
  std::uint64_t messages = 0;        ///< Ordered for it since this node knows it without a break,
  std::uint64_t bytes = 0;           ///< and their payloads.
};

/// A client that is attached, or on its way out.
struct ClientStatus {
  ClientId id = 0;
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t groups = 0;          ///< Joined or opened.
  std::uint32_t leaving = 0;         ///< 1: hung up or evicted; its leaves are being ordered.
  std::uint32_t evicted = 0;         ///< 1: read too slowly.
  std::uint64_t submit_bytes = 0;    ///< Size of its submit ring,
  std::uint64_t submit_queued = 0;   ///< and what waits in it.
  std::uint64_t deliver_bytes = 0;   ///< Size of its delivery ring,
  std::uint64_t deliver_queued = 0;  ///< and what it has not read.
  std::uint64_t submitted = 0;       ///< Submissions taken since it attached.
  TimeNs blocked_since = 0;          ///< Its delivery ring is full since then; 0: it is not.
};

inline constexpr std::size_t kListedExtendedMax = 64;

/// A counter of a port's driver, by the driver's name for it; over zero.
struct ExtendedStatus {
  char name[56] = {};  ///< Ends with a zero.
  std::uint64_t value = 0;
};

/// Written by the worker at most every 100 ms.
struct StatisticsTables {
  TimeNs written_at = 0;
  std::uint32_t groups = 0;   ///< Rows in use.
  std::uint32_t clients = 0;  ///< Likewise.
  std::uint32_t groups_unlisted = 0;
  std::uint32_t extended = 0;  ///< Likewise rows.
  GroupStatus group[kListedGroupsMax];
  ClientStatus client[kListedClientsMax];
  ExtendedStatus port[kListedExtendedMax];
};

/// Two copies of what one worker writes whole and others read meanwhile. It writes the older one:
/// a worker that is preempted in the middle of that leaves the newer one to be read.
template <class T>
struct Published {
  std::uint64_t writes;  ///< So often it was written; the last time to copy[writes % 2].
  T copy[2];
};

/// What one worker shows. The first fields are alike in all.
struct StatisticsLayout {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t pid;
  std::uint64_t size;  ///< Of one.
  Member self;
  std::uint32_t workers;  ///< So many of these there are.
  TimeNs started_at;

  alignas(64) std::uint64_t counters[kCounterSlots];  // Each by itself.
  alignas(64) Published<WorkerStatus> status;
  alignas(64) Published<StatisticsTables> tables;
};

static_assert(std::is_trivially_copyable_v<WorkerStatus> &&
              std::is_standard_layout_v<StatisticsLayout>);
static_assert(sizeof(Member) == 20 && sizeof(ViewId) == 32 && sizeof(LaneStatus) == 112 &&
              sizeof(PeerStatus) == 56 && sizeof(GroupStatus) == 104 && sizeof(ClientStatus) == 72);
static_assert(sizeof(WorkerStatus) == 8 + 64 + 24 + 64 * 20 + 8 * 112 + 64 * 56 + 312 + 16 + 24);
static_assert(offsetof(StatisticsLayout, self) == 24 &&
              offsetof(StatisticsLayout, counters) == 64 &&
              offsetof(StatisticsLayout, status) == 64 + 8 * kCounterSlots);

}  // namespace phalanx::shm
