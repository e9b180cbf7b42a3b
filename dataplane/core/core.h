#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/core/lane_share.h"
#include "dataplane/core/local_reader.h"
#include "dataplane/core/record.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/transport.h"
#include "transport/wire/header.h"
#include "transport/wire/messages.h"

namespace phalanx::core {

/// Sizes are fixed at start. Ring sizes are powers of two and multiples of the page size. Rule:
/// log >= 2 * record_bytes_max + window_bytes + nodes * submit_window_bytes + kInstallBytes, and
/// stream >= record_bytes_max + submit_window_bytes; the constructor checks.
struct CoreConfig {
  NodeId self = 0;
  BootId boot;
  LaneId lanes = 1;       ///< Of the cluster.
  LaneId first_lane = 0;  ///< Of those this core has every `lane_step`-th, from this one on.
  LaneId lane_step = 1;
  std::uint32_t frame_payload_bytes = 1424;  ///< Most log bytes in a frame.
  std::uint32_t record_bytes_max = 0;        ///< record_bytes(max_message), also for group states.
  std::uint64_t log_bytes =
      0;  ///< >= 2 * record_bytes_max + window_bytes + kNodesMax... see config.
  std::uint64_t stream_bytes =
      0;  ///< Own submit stream; >= record_bytes_max + submit_window_bytes.
  std::uint32_t submit_window_bytes = 0;  ///< Per origin.
  std::uint32_t window_bytes = 0;         ///< Ordered window.
  std::uint32_t window_frames = 0;
  /// Longer records are moved within the core in pieces of this, one a turn (rule 3.7).
  std::uint32_t copy_bytes_max = 64 * 1024;
  TimeNs heartbeat_interval = 10 * kMillisecond;
  bool handover = true;  ///< Give the lane to an origin that sends nearly all of it (rule 3.8).
  /// ... of at least so many bytes in 10 ms.
  std::uint64_t handover_bytes_min = 256 * 1024;

  [[nodiscard]] LaneShare share() const noexcept { return {lanes, first_lane, lane_step}; }
};

/// Log memory kept free for what an install writes: view records and headers.
inline constexpr std::uint64_t kInstallBytes = 16 * 1024;

/// Memory of one lane, lent for the core's life. Every ring is mapped twice, back to back, so that
/// [data, data + 2 * bytes) is readable and writable and a range never wraps.
struct RingMemory {
  std::byte* data = nullptr;
  std::uint64_t bytes = 0;
};
struct LaneMemory {
  RingMemory log;
  RingMemory stream;
  RingMemory staging;  ///< Bulk grant and bulk tail: >= record_bytes_max.
  std::vector<RingMemory>
      origins;  ///< kNodesMax (or the configured nodes) rings of >= submit_window_bytes.
};

/// Why a frame had no effect; each has a counter.
enum class Verdict : std::uint8_t {
  Accepted,
  Malformed,   ///< Lengths or fields that no correct node writes.
  WrongState,  ///< Frozen, no view, not the orderer, not recovering.
  OutOfRange,  ///< Outside [received, limit).
  Duplicate,   ///< Bytes that are held already.
  NotMember,
};

/// Where the payload of a data frame is to be opened.
struct Placement {
  Verdict verdict = Verdict::Malformed;
  std::byte* target = nullptr;  ///< Room for the payload when Accepted; nullptr: use scratch.
};

/// One frame the core wants sent. `payload` is valid until the next non-const call.
struct TxItem {
  wire::FrameType type = wire::FrameType::Row;
  LaneId lane = 0;
  Position position = 0;
  transport::Destination to;
  std::span<const std::byte> payload;
  bool can_wait = false;  ///< A row that says nothing new: a peer that sleeps may sleep on.
};

/// An application message of a local client.
struct AppMessage {
  ClientId client = 0;
  GroupId group = 0;
  bool safe = false;
  std::span<const std::byte> payload;
};

[[nodiscard]] inline RecordHeader header_of(const AppMessage& message) noexcept {
  return {.payload_bytes = static_cast<std::uint32_t>(message.payload.size()),
          .kind = RecordKind::App,
          .flags = message.safe ? kRecordSafe : std::uint8_t{0},
          .client = message.client,
          .group = message.group};
}

/// Counts and places of one lane, for status and tests.
struct LaneStatus {
  NodeId orderer = 0;
  Position received = 0;
  Position limit = 0;
  Position stable = 0;
  Position delivered = 0;
  Position stream_end = 0;
  std::uint64_t records = 0;  ///< Ordered records seen since start.
  std::uint64_t order_hash = 0;
  std::uint64_t divergences = 0;  ///< Rows whose order hash contradicted ours: never, or tell us.
  std::uint32_t handovers = 0;
  std::uint64_t repairs = 0;  ///< Frames sent again since start.
  bool barrier = false;       ///< Every member's group state is in the log.
  bool poisoned = false;
};

/// All lanes of one node, or one worker's share of them: sans-I/O, deterministic, no allocation
/// after construction but in the cold view-change calls. One thread. The order of calls in a turn
/// is the worker's (worker.cc). Lanes are named by their id in the cluster; frames of those that
/// it has not are Malformed here, and nobody else may name one. Cores of one node know nothing of
/// each other: each is given the same plans.
class Core {
 public:
  /// `memory`: of each lane of the core's share, in their order.
  Core(const CoreConfig& config, std::span<const LaneMemory> memory);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Receive. place() only reads; nothing takes effect before accept(), which the worker calls once
  // the tag compared, with the opened payload (at `target`, or in scratch).
  [[nodiscard]] Placement place(const wire::FrameHeader& header,
                                std::size_t payload_bytes) const noexcept;
  Verdict accept(const wire::FrameHeader& header, std::span<const std::byte> payload,
                 TimeNs now) noexcept;

  // Submit. reserve() gives room for a record's payload, or nullptr when it does not fit now
  // (window, barrier, frozen, other room reserved, bulk grant outstanding: for a bulk record the
  // call asks for the grant). commit() may follow later, with the same lane and size; the core
  // fills origin and position. Until then reserved() is that room, and nullptr once a freeze took
  // it back: nothing may be written to it any more, and reserve() comes first again.
  [[nodiscard]] std::byte* reserve(LaneId lane, std::uint32_t payload_bytes) noexcept;
  [[nodiscard]] std::byte* reserved(LaneId lane) const noexcept;
  void commit(LaneId lane, const RecordHeader& header) noexcept;
  void cancel(LaneId lane) noexcept;
  /// Both in one call, for an application message, which is copied unseen. False: no room now.
  [[nodiscard]] bool append(LaneId lane, const AppMessage& message) noexcept;

  // Local delivery, in order. What was committed shows after on_time().
  [[nodiscard]] LocalReader& reader(LaneId lane) noexcept;

  // Time and sending. Call poll_tx() until it returns less than it was given room for.
  void on_time(TimeNs now) noexcept;
  [[nodiscard]] std::size_t poll_tx(std::span<TxItem> out, TimeNs now) noexcept;
  [[nodiscard]] TimeNs wake_at() const noexcept;

  // View change, commanded by the control plane.
  void freeze() noexcept;
  /// What this frozen node holds in the lanes of the share, in their order. Ends the recovery of
  /// any other attempt.
  [[nodiscard]] wire::Report report(const ViewId& attempt);
  /// False when the plan does not fit this node (wrong old view, not a member): nothing changed.
  bool begin_recovery(const wire::Plan& plan, TimeNs now);
  [[nodiscard]] bool recovered() const noexcept;  ///< Holds the cut and all tails in every lane.
  /// `quorate` goes into the view record as it is.
  void install(const wire::Plan& plan, TimeNs now, bool quorate = false);

  // Replay. A core decides from these fields, and from the bytes that they say it holds.
  /// Nothing is half done, so that an image can be taken: no recovery, nothing half copied.
  [[nodiscard]] bool at_rest() const noexcept;
  [[nodiscard]] std::size_t image_bytes() const noexcept;  ///< So long is image() now.
  /// Of a core at rest. Allocates only what `out` has no capacity for.
  void image(std::vector<std::byte>& out) const;
  /// On a core made with the same configuration, to which nothing has happened. False when the
  /// image contradicts itself or the configuration: the core is of no use then.
  [[nodiscard]] bool restore(std::span<const std::byte> image);
  /// Two cores of one digest have decided alike. No allocation.
  [[nodiscard]] std::uint64_t digest() const noexcept;
  /// False: on_time(now) would leave digest() as it is, if it was called since anything else was.
  [[nodiscard]] bool turn_matters(TimeNs now) const noexcept;
  /// Over all that the last install() gave local readers, record by record.
  [[nodiscard]] std::uint64_t install_digest() const noexcept;
  /// Local readers' offsets, which bound a plan; a replay sets them where they were.
  [[nodiscard]] std::uint64_t reader_at(LaneId lane) const noexcept;
  /// False when it cannot have been there.
  [[nodiscard]] bool set_reader_at(LaneId lane, std::uint64_t at) noexcept;

  // Observation.
  [[nodiscard]] const ViewId& view() const noexcept;
  [[nodiscard]] std::span<const Member> members() const noexcept;
  [[nodiscard]] bool frozen() const noexcept;
  [[nodiscard]] NodeId orderer(LaneId lane) const noexcept;
  /// Time of the last accepted row or frame of a member on a lane; 0 when not heard in this view.
  [[nodiscard]] TimeNs last_heard(NodeId member, LaneId lane) const noexcept;
  /// Time a member's `received` last moved, or had nothing to move for; 0 as above.
  [[nodiscard]] TimeNs last_progress(NodeId member, LaneId lane) const noexcept;
  [[nodiscard]] bool distrusts_itself(NodeId member) const noexcept;
  /// This node was descheduled and says so in its rows (until false again).
  void set_distrust(bool distrusts) noexcept;
  [[nodiscard]] LaneStatus lane_status(LaneId lane) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phalanx::core
