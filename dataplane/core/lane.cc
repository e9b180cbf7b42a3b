#include "dataplane/core/lane.h"

#include <algorithm>
#include <bit>

namespace phalanx::core {

Lane::Lane(const CoreConfig& config, LaneId id, const LaneMemory& memory, const ViewInfo& view)
    : config_(config),
      id_(id),
      memory_(memory),
      view_(view),
      reader_(memory.log.data, memory.log.bytes),
      submit_window_(config.window_frames),
      ordered_window_(config.window_frames) {
  const std::uint64_t submit_windows =
      memory.origins.size() * std::uint64_t{config.submit_window_bytes};
  const std::uint64_t kept_free = submit_windows + config.record_bytes_max + kInstallBytes;
  PHX_CHECK(memory.log.bytes >= kept_free + config.record_bytes_max + config.window_bytes);
  PHX_CHECK(memory.stream.bytes >=
            std::uint64_t{config.record_bytes_max} + config.submit_window_bytes);
  PHX_CHECK(memory.staging.bytes >=
            std::uint64_t{config.record_bytes_max} + config.submit_window_bytes);
  for (const RingMemory& origin : memory.origins)
    PHX_CHECK(origin.bytes >= config.submit_window_bytes);
  usable_bytes_ = memory.log.bytes - kept_free;
  log_.reset(memory_.log, 0, 0);
  repairs_.reserve(64);
}

// How far this node lets the orderer go: bytes below what readers took and all members have are
// reusable, less what an install writes. Grows only, since both bounds do (rule 3.6).
Position Lane::limit() const noexcept {
  const std::uint64_t low = std::min(reader_.at(), base_ + stable_);
  return low + usable_bytes_ > base_ ? low + usable_bytes_ - base_ : 0;
}

Position Lane::min_received() const noexcept {
  Position low = log_.received();
  for (std::size_t r = 0; r < view_.count; ++r) {
    if (r != view_.self) low = std::min(low, peers_[r].received);
  }
  return low;
}

Position Lane::min_limit() const noexcept {
  Position low = limit();
  for (std::size_t r = 0; r < view_.count; ++r) {
    if (r != view_.self) low = std::min(low, peers_[r].limit);
  }
  return low;
}

// Stable is the minimum over all members of the view; rows count only for it (rule 3.4).
void Lane::update_stable() noexcept {
  const Position low = min_received();
  if (low <= stable_) return;
  stable_ = low;
  touch();
  advance_deliverable();
}

// Everything that all members must see alike is decided here, from the contiguous log alone.
void Lane::scan() noexcept {
  const Position end = std::min(log_.received(), scan_limit_);
  while (!poisoned_ && scanned_ + kRecordHeaderBytes <= end) {
    const std::byte* at = log_.at(scanned_);
    const RecordHeader header = decode_record_header(at);
    const std::size_t bytes = record_bytes(header.payload_bytes);
    if (bytes > config_.record_bytes_max) {
      poisoned_ = true;
      return;
    }
    if (scanned_ + bytes > end) break;
    const std::size_t rank = rank_of(header.origin);
    if (rank == ViewInfo::kNone || header.stream_position != ordered_[rank]) {
      poisoned_ = true;  // Only a broken or forging member orders this: stop, and be left out.
      return;
    }
    ordered_[rank] = header.stream_position + bytes;
    hash_.add(header, scanned_, scanned_ + bytes);
    ++records_;
    if ((header.flags & kRecordSafe) != 0 && first_safe_ == kNever) first_safe_ = scanned_;
    scanned_ += bytes;
    if (header.kind != RecordKind::App) [[unlikely]]
      observe(header, {at + kRecordHeaderBytes, header.payload_bytes}, rank);
  }
  advance_deliverable();
}

// What a record that is no message changes.
void Lane::observe(const RecordHeader& header, std::span<const std::byte> payload,
                   std::size_t rank) noexcept {
  if (header.kind == RecordKind::GroupState) {
    states_seen_ |= std::uint64_t{1} << rank;
    barrier_ = static_cast<std::size_t>(std::popcount(states_seen_)) == view_.count;
  } else if (header.kind == RecordKind::HandOver && payload.size() == 4) {
    orderer_ = load_le<std::uint32_t>(payload.data());
    ++handovers_;
    submit_sent_ =
        ordered_[view_.self];  // Send what is not ordered again, to the new orderer (rule 3.8).
    submit_limit_ = submit_received_ = 0;
    submit_window_.reset();
    bulk_wanted_ = 0;  // What still waits asks again; the new orderer has no use for a grant.
    touch();
    if (is_orderer() && !recovering_) start_ordering();
  } else if (header.origin == config_.self) {
    own_joins_.on_record(header, payload);
  }
}

// Agreed records are delivered as soon as they are contiguous; a safe one, and all behind it, waits
// until it is stable (rule 3.3).
void Lane::advance_deliverable() noexcept {
  if (frozen_) return;
  while (first_safe_ != kNever) {
    const RecordHeader safe = decode_record_header(log_.at(first_safe_));
    const Position end = first_safe_ + record_bytes(safe.payload_bytes);
    if (end > stable_) break;
    Position next = end;
    first_safe_ = kNever;
    while (next < scanned_) {
      const RecordHeader header = decode_record_header(log_.at(next));
      if ((header.flags & kRecordSafe) != 0) {
        first_safe_ = next;
        break;
      }
      next += record_bytes(header.payload_bytes);
    }
  }
  deliverable_ = std::min(first_safe_, scanned_);
  reader_.set_end(base_ + deliverable_);
}

void Lane::on_time(TimeNs now) noexcept {
  if (recovering_) {
    recover_step(now);
    return;
  }
  if (!running()) return;
  scan();  // What was committed since the last turn.
  if (state_pending_) send_group_state();
  if (!is_orderer()) keep_bulk_promise(now);
  if (is_orderer()) order_turn(now);
  update_stable();
  if (dirty()) {
    dirty_ = repeats_ = false;
    reader_seen_ = reader_.at();
    row_back_off_ = 0;
    const TimeNs gap = std::max<TimeNs>(20 * kMicrosecond, view_.count * 5 * kMicrosecond);
    row_at_ = std::min(row_at_, std::max(now, last_row_at_ + gap));
  }
  if (frames_since_row_ >= 64) row_at_ = now;
}

TimeNs Lane::wake_at() const noexcept {
  if (recovering_) {
    TimeNs at = repairs_head_ < repairs_.size() ? 0 : log_gap_.ask_at;
    for (const Tail& tail : tails_) at = std::min(at, tail.gap.ask_at);
    return at;
  }
  if (!running()) return kNever;
  if (view_.count < 2) return dirty() ? 0 : kNever;  // Alone: nobody waits for its rows.
  TimeNs at = std::min(row_at_, log_gap_.ask_at);
  if (is_orderer()) {
    if (move_.rank != ViewInfo::kNone) return 0;
    for (std::size_t r = 0; r < view_.count; ++r) at = std::min(at, origin_gaps_[r].ask_at);
  }
  return repairs_head_ < repairs_.size() || dirty() ? 0 : at;
}

LaneStatus Lane::status() const noexcept {
  return {.orderer = orderer_,
          .received = log_.received(),
          .limit = limit(),
          .stable = stable_,
          .delivered = deliverable_,
          .stream_end = stream_end_,
          .records = records_,
          .order_hash = hash_.value(),
          .divergences = divergences_,
          .handovers = handovers_,
          .repairs = repairs_sent_,
          .barrier = barrier_,
          .poisoned = poisoned_};
}

}  // namespace phalanx::core
