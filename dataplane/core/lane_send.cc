#include <algorithm>
#include <utility>

#include "dataplane/core/lane.h"

namespace phalanx::core {
namespace {

using transport::Destination;
using wire::FrameType;

constexpr std::size_t kRepairFramesATurn = 8;
constexpr TimeNs kRowBackOffFirst = 20 * kMicrosecond;
constexpr TimeNs kAskHole =
    50 * kMicrosecond;  // Later bytes arrived: a frame was lost or overtaken.
constexpr TimeNs kAskTail =
    300 * kMicrosecond;  // Only a row says so: the frames may be on their way.
constexpr TimeNs kAskMax = 5 * kMillisecond;

}  // namespace

std::size_t Lane::poll_tx(std::span<TxItem> out, TimeNs now) noexcept {
  if (recovering_) return send_recovery(out, now);
  if (!running() || view_.count < 2) {
    sent_ = appended_;
    return 0;
  }
  std::size_t n = send_ordered(out);
  n += send_submit(out.subspan(n));
  const std::size_t row = send_row(out.subspan(n), now);
  // Transports put frames of one size and a shorter last one into one packet: what a turn with one
  // small message sends.
  if (row != 0 && n != 0 && out[n].payload.size() > out[n - 1].payload.size())
    std::swap(out[n - 1], out[n]);
  n += row;
  n += send_naks(out.subspan(n), now);
  n += send_repairs(out.subspan(n));
  return n;
}

// Everything that has accumulated, packed full; the last frame of a turn may be short (rule 3.2).
// Who handed over still sends what it appended itself, up to its last record.
std::size_t Lane::send_ordered(std::span<TxItem> out) noexcept {
  if (sent_ >= appended_) return 0;
  const Position low = min_received();
  const Position top = std::min(appended_, low + config_.window_bytes);
  std::size_t n = 0;
  while (n < out.size() && sent_ < top && ordered_window_.has_room(low)) {
    const std::size_t bytes = std::min<std::uint64_t>(config_.frame_payload_bytes, top - sent_);
    out[n++] = {FrameType::Ordered, id_, sent_, {}, {log_.at(sent_), bytes}};
    sent_ += bytes;
    ordered_window_.note(sent_);
  }
  frames_since_row_ += static_cast<std::uint32_t>(n);
  return n;
}

std::size_t Lane::send_submit(std::span<TxItem> out) noexcept {
  if (is_orderer()) {
    submit_sent_ = stream_end_;
    return 0;
  }
  const Position top = std::min(stream_end_, submit_limit_);
  std::size_t n = 0;
  while (n < out.size() && submit_sent_ < top && submit_window_.has_room(submit_received_)) {
    const std::size_t bytes =
        std::min<std::uint64_t>(config_.frame_payload_bytes, top - submit_sent_);
    const std::byte* at = memory_.stream.data + (submit_sent_ & (memory_.stream.bytes - 1));
    out[n++] = {
        FrameType::Submit, id_, submit_sent_, {Destination::Kind::Peer, orderer_}, {at, bytes}};
    submit_sent_ += bytes;
    submit_window_.note(submit_sent_);
  }
  return n;
}

// Nothing is left that a row could help with: all bytes are stable, own submissions are ordered.
bool Lane::settled() const noexcept {
  return stable_ == log_.known_end() && log_.received() == log_.known_end() && bulk_wanted_ == 0 &&
         ordered_[view_.self] == stream_end_ && !state_pending_ && barrier_;
}

// Rule 3.4: while busy at most every max(20 us, N x 5 us) or 64 frames; after the last change again
// at growing distances until all is settled; then as the heartbeat.
std::size_t Lane::send_row(std::span<TxItem> out, TimeNs now) noexcept {
  if (out.empty() || now < row_at_) return 0;
  Row row{.received = log_.received(),
          .limit = limit(),
          .log_end = sent_ < appended_ || is_orderer() ? sent_ : log_.known_end(),
          .stream_end = is_orderer() ? stream_end_ : submit_sent_,
          .bulk_end = bulk_wanted_ == 0 ? 0 : stream_end_ + bulk_wanted_,
          .hash_index = hash_.last().index,
          .hash = hash_.last().hash,
          .handovers = handovers_,
          .distrusts_itself = distrusts_itself_,
          .orderer = is_orderer(),
          .origin_count = 0,
          .origins = {}};
  if (is_orderer()) {
    row.origin_count = static_cast<std::uint8_t>(view_.count);
    for (std::size_t r = 0; r < view_.count; ++r) {
      if (r != view_.self) row.origins[r] = {origins_[r].received(), origin_limit(r)};
    }
  }
  const std::size_t bytes = encode_row(row, row_bytes_);
  const bool rests = settled();
  out[0] = {FrameType::Row, id_, 0, {}, {row_bytes_.data(), bytes}, rests && repeats_};
  repeats_ = rests;
  last_row_at_ = now;
  frames_since_row_ = 0;
  if (rests) {
    row_at_ = now + config_.heartbeat_interval;
  } else {
    row_back_off_ = row_back_off_ == 0 ? kRowBackOffFirst
                                       : std::min(2 * row_back_off_, config_.heartbeat_interval);
    row_at_ = now + row_back_off_;
  }
  return 1;
}

// True when it is time to ask: after a first delay, then with back-off while nothing moves.
bool Lane::ask(Gap& gap, Position received, bool missing, TimeNs first, TimeNs now) noexcept {
  if (!missing) {
    gap.ask_at = kNever;
    return false;
  }
  if (gap.ask_at == kNever || gap.at != received) {
    // Neighbours ask at different times: 2 us for each rank.
    gap = {received, now + first + view_.self * 2 * kMicrosecond, first};
    return false;
  }
  if (now < gap.ask_at) return false;
  gap.back_off = std::min(2 * gap.back_off, kAskMax);
  gap.ask_at = now + gap.back_off;
  return true;
}

TxItem Lane::nak_item(FrameType type, Nak::What what, const Receiver& rx, Position end,
                      std::size_t slot, NodeId to) noexcept {
  std::array<wire::Range, Nak::kSpansMax> gaps;
  Nak nak{.what = what, .count = 0, .spans = {}};
  nak.count = static_cast<std::uint8_t>(rx.missing(end, gaps));
  for (std::size_t i = 0; i < nak.count; ++i) nak.spans[i] = {gaps[i].from, gaps[i].to};
  const std::size_t bytes = encode_nak(nak, nak_bytes_[slot]);
  return {type, id_, 0, {Destination::Kind::Peer, to}, {nak_bytes_[slot].data(), bytes}};
}

std::size_t Lane::send_naks(std::span<TxItem> out, TimeNs now) noexcept {
  std::size_t n = 0;
  const auto first = [](const Receiver& rx) { return rx.held().empty() ? kAskTail : kAskHole; };
  if (!is_orderer() && n < out.size()) {
    const bool missing = log_.received() < log_.known_end();
    if (ask(log_gap_, log_.received(), missing, first(log_), now)) {
      out[n++] =
          nak_item(FrameType::Nak, Nak::What::Log, log_, log_.known_end(), kNodesMax, orderer_);
    }
  }
  for (std::size_t r = 0; is_orderer() && r < view_.count && n < out.size(); ++r) {
    if (r == view_.self) continue;
    const Receiver& rx = origins_[r];
    const Position end = std::min(rx.known_end(), origin_limit(r));
    if (ask(origin_gaps_[r], rx.received(), rx.received() < end, first(rx), now)) {
      out[n++] = nak_item(FrameType::Nak, Nak::What::Stream, rx, end, r, view_.node(r));
    }
  }
  return n;
}

std::size_t Lane::send_repairs(std::span<TxItem> out) noexcept {
  const std::size_t most = std::min(out.size(), kRepairFramesATurn);
  std::size_t n = 0;
  while (n < most && repairs_head_ < repairs_.size()) {
    Repair& repair = repairs_[repairs_head_];
    const std::size_t bytes =
        std::min<std::uint64_t>(config_.frame_payload_bytes, repair.to - repair.from);
    const bool log = repair.what == Nak::What::Log;
    const std::byte* at = log ? log_.at(repair.from)
                              : memory_.stream.data + (repair.from & (memory_.stream.bytes - 1));
    const FrameType type = recovering_ ? (log ? FrameType::RecoverLog : FrameType::RecoverTail)
                                       : (log ? FrameType::Ordered : FrameType::Submit);
    out[n++] = {type, id_, repair.from, repair.to_whom, {at, bytes}};
    repair.from += bytes;
    if (repair.from == repair.to) ++repairs_head_;
  }
  repairs_sent_ += n;
  if (repairs_head_ == repairs_.size()) {
    repairs_.clear();
    repairs_head_ = 0;
  }
  return n;
}

}  // namespace phalanx::core
