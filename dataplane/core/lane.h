#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/core/frame_window.h"
#include "dataplane/core/order_hash.h"
#include "dataplane/core/own_joins.h"
#include "dataplane/core/receiver.h"
#include "dataplane/core/row.h"
#include "dataplane/core/view_info.h"
#include "dataplane/core/view_record.h"
#include "ipc/base/fields.h"

namespace phalanx::core {

/// One independent total order: a replicated log, this node's submit stream, and, while this node
/// is the orderer, the streams of the others. Core.md draws the states. Rules in comments name
/// sections of the design: "rule 3.6" is windows, and so on.
///
/// Log memory is local: position p of the current view lives at local offset base_ + p. Readers go
/// on in old views after an install, so local offsets never restart.
class Lane {
 public:
  Lane(const CoreConfig& config, LaneId id, const LaneMemory& memory, const ViewInfo& view);

  // lane_receive.cc
  [[nodiscard]] Placement place(const wire::FrameHeader& header, std::size_t rank,
                                std::size_t bytes) const noexcept;
  Verdict accept(const wire::FrameHeader& header, std::size_t rank,
                 std::span<const std::byte> payload, TimeNs now) noexcept;

  // lane_submit.cc
  [[nodiscard]] std::byte* reserve(std::uint32_t payload_bytes) noexcept;
  /// A frozen lane takes it back: recovery writes there.
  [[nodiscard]] std::byte* reserved() const noexcept {
    return running() && reserved_at_ != nullptr ? reserved_at_ + kRecordHeaderBytes : nullptr;
  }
  void commit(const RecordHeader& header) noexcept;
  void cancel() noexcept { reserved_at_ = nullptr; }
  [[nodiscard]] bool append(const AppMessage& message) noexcept;

  // lane.cc
  [[nodiscard]] LocalReader& reader() noexcept { return reader_; }
  void on_time(TimeNs now) noexcept;
  [[nodiscard]] TimeNs wake_at() const noexcept;

  // lane_send.cc
  [[nodiscard]] std::size_t poll_tx(std::span<TxItem> out, TimeNs now) noexcept;

  // lane_recover.cc, lane_install.cc
  void freeze() noexcept;
  [[nodiscard]] wire::LaneReport report() const;
  [[nodiscard]] bool accepts(const wire::TransitionalSet& set) const noexcept;
  void begin_recovery(const wire::TransitionalSet& set, TimeNs now);
  void end_recovery() noexcept { recovering_ = false; }
  [[nodiscard]] bool recovered() const noexcept;
  void finish_old_view();
  void install(std::span<const Position> stream_bases, const ViewRecord& record, TimeNs now);

  // lane_image.cc
  [[nodiscard]] bool at_rest() const noexcept {
    const bool half_done = move_.rank != ViewInfo::kNone || reserved_at_ != nullptr;
    return !recovering_ && (frozen_ || !half_done);  // A freeze drops what is half done.
  }
  [[nodiscard]] bool turn_matters(TimeNs now) const noexcept;
  [[nodiscard]] std::size_t image_bytes() const noexcept;
  void image(std::vector<std::byte>& out) const;
  [[nodiscard]] bool restore(FieldsIn& in);
  [[nodiscard]] bool set_reader_at(std::uint64_t at) noexcept;
  void digest(FieldsDigest& digest) const noexcept;
  void install_digest(FieldsDigest& digest) const noexcept;

  [[nodiscard]] LaneStatus status() const noexcept;
  [[nodiscard]] LaneId id() const noexcept { return id_; }
  [[nodiscard]] NodeId orderer() const noexcept { return orderer_; }
  [[nodiscard]] bool frozen() const noexcept { return frozen_; }
  [[nodiscard]] TimeNs last_heard(std::size_t rank) const noexcept { return peers_[rank].heard; }
  [[nodiscard]] TimeNs last_progress(std::size_t rank) const noexcept {
    return peers_[rank].progressed;
  }
  [[nodiscard]] bool peer_distrusts_itself(std::size_t rank) const noexcept {
    return peers_[rank].distrusts_itself;
  }
  void set_distrust(bool distrusts) noexcept {
    if (distrusts != distrusts_itself_) repeats_ = false;
    distrusts_itself_ = distrusts;
  }

 private:
  /// Who sends how much is looked at so often, and a lane is handed over at most so often.
  static constexpr TimeNs kHandoverPeriod = 10 * kMillisecond;

  /// What this node knows of one member, from its rows in this view. All zero until the first
  /// (rule 3.4).
  struct Peer {
    Position received = 0;
    Position limit = 0;
    Position bulk_end = 0;
    TimeNs heard = 0;
    TimeNs progressed = 0;
    bool distrusts_itself = false;
  };
  /// A repair timer: asks once the gap is old enough, again with back-off while nothing moves.
  struct Gap {
    Position at = 0;
    TimeNs ask_at = kNever;
    TimeNs back_off = 0;
  };
  struct Repair {
    Nak::What what = Nak::What::Log;
    Position from = 0;
    Position to = 0;
    transport::Destination to_whom;
  };
  /// A run of one origin's records on its way into the log. Until all of it is there nothing else
  /// is appended.
  struct Move {
    std::size_t rank = ViewInfo::kNone;
    std::size_t bytes = 0;
    std::size_t copied = 0;
  };
  struct Tail {
    Position from = 0;
    Position to = 0;
    Gap gap;
  };

  [[nodiscard]] bool running() const noexcept {
    return view_.self != ViewInfo::kNone && !frozen_ && !poisoned_;
  }
  [[nodiscard]] bool is_orderer() const noexcept { return orderer_ == config_.self; }
  [[nodiscard]] Position limit() const noexcept;
  [[nodiscard]] Position min_received() const noexcept;
  /// End of what others may have of this node's log: a repair must not outrun the window.
  [[nodiscard]] Position log_sent() const noexcept {
    return sent_ < appended_ ? sent_ : log_.received();
  }
  [[nodiscard]] Position min_limit() const noexcept;
  [[nodiscard]] std::size_t rank_of(NodeId node) noexcept {
    if (node != cached_origin_) [[unlikely]] {
      cached_origin_ = node;
      cached_rank_ = view_.rank_of(node);
    }
    return cached_rank_;
  }

  // lane.cc: the contiguous log is read once, in order.
  void scan() noexcept;
  void observe(const RecordHeader& header, std::span<const std::byte> payload,
               std::size_t rank) noexcept;
  void advance_deliverable() noexcept;
  void update_stable() noexcept;
  void touch() noexcept { dirty_ = true; }
  [[nodiscard]] bool dirty() const noexcept { return dirty_ || reader_.at() != reader_seen_; }

  // lane_order.cc: this node as the orderer.
  void start_ordering() noexcept;
  void order_turn(TimeNs now) noexcept;
  [[nodiscard]] std::size_t take_from(std::size_t rank, std::uint64_t share) noexcept;
  [[nodiscard]] bool appendable(std::size_t bytes) const noexcept;
  [[nodiscard]] std::uint64_t append_room() const noexcept;
  [[nodiscard]] Position origin_limit(std::size_t rank) const noexcept;
  [[nodiscard]] Position origin_end(std::size_t rank) const noexcept;
  [[nodiscard]] const std::byte* origin_at(std::size_t rank, Position p) const noexcept;
  void manage_bulk_grant() noexcept;
  void consider_handover(TimeNs now) noexcept;
  void append_to_log(std::size_t bytes) noexcept {
    log_.append(log_.received() + bytes);
    appended_ = log_.received();
    room_ -= std::min<std::uint64_t>(room_, bytes);
  }
  [[nodiscard]] bool has_room(std::size_t bytes) noexcept {
    if (bytes <= room_) [[likely]]
      return true;
    room_ = append_room();
    return bytes <= room_ || appendable(bytes);
  }
  /// None of this node's stream waits to be ordered.
  [[nodiscard]] bool own_stream_ordered() const noexcept {
    return taken_[view_.self] == stream_end_;
  }
  void append_own(const RecordHeader& header, std::span<const std::byte> payload) noexcept;
  void take_turns(std::uint64_t share) noexcept;
  void continue_move() noexcept;
  /// Something is being copied to the end of the log.
  [[nodiscard]] bool end_of_log_is_taken() const noexcept {
    return move_.rank != ViewInfo::kNone || (reserved_at_ != nullptr && reserved_direct_);
  }
  [[nodiscard]] std::uint64_t bulk_bytes_max() const noexcept {
    return std::uint64_t{config_.record_bytes_max} + config_.submit_window_bytes;
  }

  // lane_submit.cc
  void send_group_state() noexcept;
  [[nodiscard]] std::byte* reserve_at(std::byte* at, std::uint32_t payload_bytes,
                                      bool direct) noexcept;
  [[nodiscard]] std::byte* reserve_in_stream(std::uint32_t payload_bytes) noexcept;
  void keep_bulk_promise(TimeNs now) noexcept;

  // lane_receive.cc
  Verdict accept_row(std::size_t rank, std::span<const std::byte> payload, TimeNs now) noexcept;
  Verdict accept_nak(std::size_t rank, std::span<const std::byte> payload) noexcept;
  Verdict accept_recover_nak(std::size_t rank, std::span<const std::byte> payload) noexcept;
  void queue_repair(const Repair& repair) noexcept;

  // lane_send.cc
  std::size_t send_row(std::span<TxItem> out, TimeNs now) noexcept;
  std::size_t send_naks(std::span<TxItem> out, TimeNs now) noexcept;
  std::size_t send_repairs(std::span<TxItem> out) noexcept;
  std::size_t send_ordered(std::span<TxItem> out) noexcept;
  std::size_t send_submit(std::span<TxItem> out) noexcept;
  std::size_t send_recovery(std::span<TxItem> out, TimeNs now) noexcept;
  [[nodiscard]] bool ask(Gap& gap, Position received, bool missing, TimeNs first,
                         TimeNs now) noexcept;
  [[nodiscard]] TxItem nak_item(wire::FrameType type, Nak::What what, const Receiver& rx,
                                Position end, std::size_t slot, NodeId to) noexcept;
  [[nodiscard]] bool settled() const noexcept;

  // lane_image.cc
  static void visit(auto& self, auto& v);
  static void visit_orderer(auto& self, auto& v);
  static void visit_blobs(auto& self, const auto& each);
  [[nodiscard]] bool is_consistent() const noexcept;
  [[nodiscard]] bool orders_consistently() const noexcept;
  [[nodiscard]] Position held_end() const noexcept;
  [[nodiscard]] bool records_fill(Position from, Position to) const noexcept;

  // lane_recover.cc, lane_install.cc
  void recover_step(TimeNs now) noexcept;
  void reach_cut(TimeNs now) noexcept;
  [[nodiscard]] std::byte* local_at(std::uint64_t offset) const noexcept {
    return memory_.log.data + (offset & (memory_.log.bytes - 1));
  }
  [[nodiscard]] std::uint64_t append_local(const RecordHeader& header,
                                           std::span<const std::byte> payload,
                                           std::uint64_t at) noexcept;

  const CoreConfig& config_;
  const LaneId id_;
  const LaneMemory memory_;
  const ViewInfo& view_;

  // The log of the current view, and its local readers.
  Receiver log_;
  std::uint64_t base_ = 0;
  LocalReader reader_;
  std::uint64_t reader_seen_ = 0;   // Where it was when a row was last made due for it.
  std::uint64_t usable_bytes_ = 0;  // Log memory less what an install needs.
  Position scanned_ = 0;            // Every record below was observed. A record end.
  Position scan_limit_ = kNever;    // The cut, during recovery.
  Position deliverable_ = 0;        // Delivered, in the protocol's sense. A record end.
  Position first_safe_ = kNever;    // First safe record at or above deliverable_ that was scanned.
  Position stable_ = 0;
  OrderHash hash_;
  OwnJoins own_joins_;
  std::uint64_t records_ = 0;
  std::uint64_t divergences_ = 0;

  // The view, as known from the contiguous log.
  NodeId orderer_ = 0;
  std::uint32_t handovers_ = 0;
  std::array<Position, kNodesMax> ordered_{};  // Next stream position of each origin.
  std::uint64_t states_seen_ = 0;              // Bit per rank: its GROUP_STATE is in the log.
  bool barrier_ = false;                       // All of them are.
  bool frozen_ = true;
  bool poisoned_ = false;  // The log broke a rule; this node must be left out.
  std::array<Peer, kNodesMax> peers_{};
  NodeId cached_origin_ = 0;
  std::size_t cached_rank_ = ViewInfo::kNone;

  // This node's submit stream.
  Position stream_base_ = 0;
  Position stream_end_ = 0;
  Position submit_sent_ = 0;
  Position submit_limit_ = 0;
  Position submit_received_ = 0;
  std::uint32_t bulk_wanted_ = 0;
  bool bulk_asked_ = false;
  TimeNs bulk_asked_at_ = 0;
  bool state_pending_ = false;
  std::byte* reserved_at_ = nullptr;  // Where a record begins whose commit() is to come.
  bool reserved_direct_ = false;      // It is in the log, not in the stream.
  std::uint32_t reserved_bytes_ = 0;
  FrameWindow submit_window_;

  // The orderer's part.
  Position sent_ = 0;
  std::uint64_t room_ = 0;  // append_room() was at least this: others only raise it within a view.
  Position appended_ = 0;   // End of what this node appended itself; a receiver's is 0.
  FrameWindow ordered_window_;
  std::array<Receiver, kNodesMax> origins_{};
  std::array<Position, kNodesMax> taken_{};
  std::array<Gap, kNodesMax> origin_gaps_{};
  std::uint64_t bad_origins_ = 0;
  std::size_t next_origin_ = 0;
  Move move_;
  std::uint64_t direct_budget_ = 0;
  std::size_t held_up_ = ViewInfo::kNone;  // Rank whose first record did not fit.
  std::uint64_t own_refused_ = 0;          // Longest local record refused since the last turn.
  bool own_served_ = false;                // A local record went in since another origin's did.
  std::size_t bulk_owner_ = ViewInfo::kNone;
  Position bulk_limit_ = 0;
  Position bulk_log_end_ = 0;
  std::array<std::uint64_t, kNodesMax> period_bytes_{};
  TimeNs period_start_ = 0;
  TimeNs handover_at_ = 0;

  // Timers and what is due.
  bool dirty_ = false;
  bool repeats_ = false;  ///< The next row says what the last one said, all being settled.
  bool distrusts_itself_ = false;
  TimeNs row_at_ = kNever;
  TimeNs last_row_at_ = 0;
  TimeNs row_back_off_ = 0;
  std::uint32_t frames_since_row_ = 0;
  Gap log_gap_;
  std::vector<Repair> repairs_;
  std::size_t repairs_head_ = 0;
  std::uint64_t repairs_sent_ = 0;  // Frames.

  // Recovery.
  bool recovering_ = false;
  bool cut_reached_ = false;
  wire::LanePlan plan_;
  std::vector<std::size_t> set_ranks_;
  std::vector<Tail> tails_;  // By place in the set.
  Position tail_sent_ = 0;
  std::uint64_t installed_from_ = 0;  // Local offset where the last finish_old_view() began.

  // Payloads of what poll_tx() returned last.
  std::array<std::byte, kRowBytesMax> row_bytes_{};
  std::array<std::array<std::byte, kNakBytesMax>, kNodesMax + 1> nak_bytes_{};
};

}  // namespace phalanx::core
