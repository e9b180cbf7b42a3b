// What a lane decides from, as bytes and back: where a replay begins. One list of fields serves all
// ways; what belongs to a recovery that is under way is told apart by its digest only.

#include <algorithm>

#include "dataplane/core/lane.h"

namespace phalanx::core {
namespace {

void visit_gap(auto& gap, auto& v) {
  v(gap.at);
  v(gap.ask_at);
  v(gap.back_off);
}

}  // namespace

void Lane::visit(auto& self, auto& v) {
  const std::size_t count = self.view_.count;
  v(self.base_);
  v(self.reader_seen_);
  v(self.scanned_);
  v(self.scan_limit_);
  v(self.deliverable_);
  v(self.first_safe_);
  v(self.stable_);
  self.hash_.visit(self.hash_, v);
  v(self.records_);
  v(self.divergences_);
  v(self.orderer_);
  v(self.handovers_);
  for (std::size_t r = 0; r < count; ++r) v(self.ordered_[r]);
  v(self.states_seen_);
  v(self.barrier_);
  v(self.frozen_);
  v(self.poisoned_);
  for (std::size_t r = 0; r < count; ++r) {
    auto& peer = self.peers_[r];
    v(peer.received);
    v(peer.limit);
    v(peer.bulk_end);
    v(peer.heard);
    v(peer.progressed);
    v(peer.distrusts_itself);
  }
  v(self.stream_base_);
  v(self.stream_end_);
  v(self.submit_sent_);
  v(self.submit_limit_);
  v(self.submit_received_);
  v(self.bulk_wanted_);
  v(self.bulk_asked_);
  if (self.bulk_wanted_ != 0) v(self.bulk_asked_at_);  // Else each turn sets it.
  v(self.state_pending_);
  FrameWindow::visit(self.submit_window_, v);
  v(self.sent_);
  v(self.appended_);
  v(self.next_origin_);  // What start_ordering() finds as it was left.
  v(self.period_start_);
  v(self.handover_at_);
  FrameWindow::visit(self.ordered_window_, v);
  v(self.dirty_);
  v(self.repeats_);
  v(self.distrusts_itself_);
  v(self.row_at_);
  v(self.last_row_at_);
  v(self.row_back_off_);
  v(self.frames_since_row_);
  visit_gap(self.log_gap_, v);
  v(self.repairs_head_);
  v.list(self.repairs_, [&](auto& repair) {
    v(repair.what);
    v(repair.from);
    v(repair.to);
    v(repair.to_whom.kind);
    v(repair.to_whom.peer);
  });
  v(self.repairs_sent_);
  Receiver::visit(self.log_, v);
  if (self.is_orderer()) visit_orderer(self, v);
}

/// room_ is not among them: it only saves looking at others' limits again.
void Lane::visit_orderer(auto& self, auto& v) {
  for (std::size_t r = 0; r < self.view_.count; ++r) {
    if (r != self.view_.self) Receiver::visit(self.origins_[r], v);
    v(self.taken_[r]);
    visit_gap(self.origin_gaps_[r], v);
    v(self.period_bytes_[r]);
  }
  v(self.bad_origins_);
  v(self.direct_budget_);
  v(self.held_up_);
  v(self.own_refused_);
  v(self.own_served_);
  v(self.bulk_owner_);
  if (self.bulk_owner_ == ViewInfo::kNone) return;
  v(self.bulk_limit_);
  v(self.bulk_log_end_);
}

/// The bytes that will be read: of the log what is not delivered yet, of this node's stream what
/// the log does not hold yet, of others' streams what is not ordered yet.
void Lane::visit_blobs(auto& self, const auto& each) {
  const auto above = [&](const Receiver& rx, Position from) {
    each(rx.at(from), rx.received() - from);
    for (const wire::Range& held : rx.held()) each(rx.at(held.from), held.to - held.from);
  };
  const ViewInfo& view = self.view_;
  above(self.log_, self.deliverable_);
  const Position own = view.self == ViewInfo::kNone ? self.stream_end_ : self.ordered_[view.self];
  const RingMemory& stream = self.memory_.stream;
  each(stream.data + (own & (stream.bytes - 1)), self.stream_end_ - own);
  for (std::size_t r = 0; self.is_orderer() && r < view.count; ++r) {
    if (r != view.self) above(self.origins_[r], self.taken_[r]);
  }
}

std::size_t Lane::image_bytes() const noexcept {
  FieldsCount v;
  visit(*this, v);
  v(reader_.at());
  v.blob(own_joins_.state_bytes());
  visit_blobs(*this, [&](const std::byte*, std::size_t bytes) { v.blob(bytes); });
  return v.bytes();
}

void Lane::image(std::vector<std::byte>& out) const {
  FieldsOut v(out);
  visit(*this, v);
  v(reader_.at());
  own_joins_.encode(v.blob(own_joins_.state_bytes()));
  visit_blobs(*this, [&](const std::byte* at, std::size_t bytes) { v.blob({at, bytes}); });
}

bool Lane::restore(FieldsIn& in) {
  if (view_.count > memory_.origins.size()) return false;
  for (std::size_t r = 0; r < view_.count; ++r) origins_[r].reset(memory_.origins[r], 0, 0);
  visit(*this, in);
  std::uint64_t reader_at = 0;
  in(reader_at);
  if (!in.ok() || !own_joins_.decode(in.blob()) || !is_consistent()) return false;
  if (is_orderer() && !orders_consistently()) return false;
  if (reader_at > base_ + deliverable_ || base_ + held_end() - reader_at > memory_.log.bytes) {
    return false;
  }
  reader_.set_at(reader_at);
  reader_.set_end(base_ + deliverable_);
  if (is_orderer() && bulk_owner_ != ViewInfo::kNone)
    origins_[bulk_owner_].lies_in(memory_.staging);
  visit_blobs(*this, [&](std::byte* at, std::size_t bytes) {
    const auto from = in.blob();
    if (in.require(from.size() == bytes)) std::ranges::copy(from, at);
  });
  return in.ok() && records_fill(deliverable_, scanned_);
}

/// What a lane takes for granted about itself, as far as its fields tell.
bool Lane::is_consistent() const noexcept {
  constexpr std::uint64_t kFar = std::uint64_t{1} << 62;
  const Position own = view_.self == ViewInfo::kNone ? stream_end_ : ordered_[view_.self];
  const bool repairs =
      repairs_head_ <= repairs_.size() && std::ranges::all_of(repairs_, [](const Repair& repair) {
        return repair.from < repair.to && repair.to < kFar;
      });
  const bool wants = bulk_wanted_ == 0 || (bulk_wanted_ >= kRecordHeaderBytes &&
                                           bulk_wanted_ <= config_.record_bytes_max);
  return log_.is_consistent() && deliverable_ <= scanned_ && scanned_ <= log_.received() &&
         base_ < kFar && held_end() < kFar && stable_ < kFar && own <= stream_end_ &&
         stream_end_ - own <= memory_.stream.bytes && stream_base_ <= stream_end_ &&
         (first_safe_ == kNever || first_safe_ == deliverable_) && sent_ <= appended_ &&
         appended_ <= log_.received() && next_origin_ < kNodesMax && repairs && wants &&
         record_bytes(own_joins_.state_bytes()) <= config_.record_bytes_max;
}

/// Likewise of who orders. Nothing was ever taken from above a limit that it gave.
bool Lane::orders_consistently() const noexcept {
  const std::size_t count = view_.count;
  const bool known = bulk_owner_ == ViewInfo::kNone || bulk_owner_ < count;
  if (!known || bulk_owner_ == view_.self || !log_.held().empty() ||
      (held_up_ != ViewInfo::kNone && held_up_ >= count)) {
    return false;
  }
  for (std::size_t r = 0; r < count; ++r) {
    if (r == view_.self) {
      if (taken_[r] < ordered_[r] || taken_[r] > stream_end_) return false;
      continue;
    }
    const Receiver& rx = origins_[r];
    const Position end = rx.held().empty() ? rx.received() : rx.held().back().to;
    const std::uint64_t most = r == bulk_owner_ ? bulk_bytes_max() : config_.submit_window_bytes;
    if (!rx.is_consistent() || rx.received() < taken_[r] || end - taken_[r] > most) return false;
  }
  return true;
}

bool Lane::set_reader_at(std::uint64_t at) noexcept {
  if (at < reader_.at() || at > base_ + deliverable_) return false;
  reader_.set_at(at);
  return true;
}

Position Lane::held_end() const noexcept {
  return log_.held().empty() ? log_.received() : log_.held().back().to;
}

bool Lane::records_fill(Position from, Position to) const noexcept {
  while (from < to) {
    const std::size_t bytes = record_bytes(load_le<std::uint32_t>(log_.at(from)));
    if (bytes > config_.record_bytes_max || bytes > to - from) return false;
    from += bytes;
  }
  return from == to;
}

void Lane::digest(FieldsDigest& digest) const noexcept {
  visit(*this, digest);
  digest(move_.rank);
  digest(move_.copied);
  digest(recovering_);
  if (!recovering_) return;
  digest(cut_reached_);
  digest(recovered());
  for (const Tail& tail : tails_) {
    digest(tail.from);
    digest(tail.to);
  }
}

void Lane::install_digest(FieldsDigest& digest) const noexcept {
  for (std::uint64_t at = installed_from_; at < base_;) {
    const std::byte* record = local_at(at);
    digest.blob({record, kRecordHeaderBytes});
    at += record_bytes(load_le<std::uint32_t>(record));
  }
}

/// on_time() changes something by itself only where something waits, or when a period ends.
bool Lane::turn_matters(TimeNs now) const noexcept {
  if (!running()) return false;
  if (dirty() || state_pending_ || bulk_wanted_ != 0 || bulk_asked_ || frames_since_row_ >= 64) {
    return true;
  }
  if (!is_orderer()) return false;
  const bool busy = move_.rank != ViewInfo::kNone || bulk_owner_ != ViewInfo::kNone;
  if (busy || own_refused_ != 0 || now >= period_start_ + kHandoverPeriod) return true;
  for (std::size_t r = 0; r < view_.count; ++r) {
    if (origin_end(r) > taken_[r]) return true;
  }
  return false;
}

}  // namespace phalanx::core
