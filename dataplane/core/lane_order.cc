#include <algorithm>
#include <cstring>

#include "dataplane/core/lane.h"

namespace phalanx::core {
namespace {

constexpr std::uint64_t kShareBytesMin = 4096;

}  // namespace

// A new orderer knows from the log alone which stream position is next for each origin.
void Lane::start_ordering() noexcept {
  log_.drop_above(log_.received());  // Nobody has ordered anything behind a hand-over.
  sent_ = appended_ = log_.received();
  log_gap_ = {};  // Nothing is missing to who orders; an old timer would keep the worker awake.
  room_ = 0;
  ordered_window_.reset();
  for (std::size_t r = 0; r < view_.count; ++r) {
    taken_[r] = ordered_[r];
    origin_gaps_[r] = {};
    if (r != view_.self) origins_[r].reset(memory_.origins[r], 0, taken_[r]);
  }
  bulk_owner_ = held_up_ = ViewInfo::kNone;
  move_ = {};
  own_refused_ = 0;
  own_served_ = false;
  period_bytes_.fill(0);
  direct_budget_ = append_room();
}

Position Lane::origin_end(std::size_t rank) const noexcept {
  return rank == view_.self ? stream_end_ : origins_[rank].received();
}

const std::byte* Lane::origin_at(std::size_t rank, Position p) const noexcept {
  return rank == view_.self ? memory_.stream.data + (p & (memory_.stream.bytes - 1))
                            : origins_[rank].at(p);
}

Position Lane::origin_limit(std::size_t rank) const noexcept {
  const Position regular = taken_[rank] + config_.submit_window_bytes;
  return rank == bulk_owner_ ? std::max(regular, bulk_limit_) : regular;
}

// Bytes that may be appended now: every member's limit, and the window above the slowest of them.
std::uint64_t Lane::append_room() const noexcept {
  const Position end = log_.received();
  const Position limited = min_limit();
  const Position windowed = min_received() + config_.window_bytes;
  const Position top = std::min(limited, windowed);
  return top > end ? top - end : 0;
}

// A record longer than what is left of the window may follow when everything before it was sent, so
// that it passes the window piece by piece; the members' limits hold for it as a whole.
bool Lane::appendable(std::size_t bytes) const noexcept {
  const Position end = log_.received();
  return end + bytes <= min_limit() &&
         (end + bytes <= min_received() + config_.window_bytes || end == sent_ || view_.count == 1);
}

void Lane::order_turn(TimeNs now) noexcept {
  if (move_.rank != ViewInfo::kNone) continue_move();
  if (end_of_log_is_taken()) {
    direct_budget_ = 0;
    return;
  }
  std::size_t waiting = 0;
  for (std::size_t r = 0; r < view_.count; ++r) {
    if (origin_end(r) > taken_[r]) ++waiting;
  }
  const std::uint64_t share = std::max(append_room() / (waiting + 1), kShareBytesMin);
  // A record longer than its share fits only when the others let the window drain: they take turns.
  const bool own_turn = waiting > 0 && own_refused_ > share && !own_served_;
  if (waiting > 0 && !own_turn) take_turns(share);
  // What the local clients may put straight into the log until the next turn.
  direct_budget_ = waiting == 0 || own_turn ? kNever
                   : held_up_ != ViewInfo::kNone || end_of_log_is_taken()
                       ? 0
                       : std::max<std::uint64_t>(append_room(), kShareBytesMin);
  own_refused_ = 0;
  manage_bulk_grant();
  consider_handover(now);
}

// Round robin by shares of the room. An origin whose first record did not fit goes first from then
// on, and alone until it does, or smaller records would take the room before it forever.
void Lane::take_turns(std::uint64_t share) noexcept {
  if (held_up_ != ViewInfo::kNone) next_origin_ = held_up_;
  for (std::size_t i = 0; i < view_.count; ++i) {
    const std::size_t rank = (next_origin_ + i) % view_.count;
    if (origin_end(rank) <= taken_[rank]) continue;
    held_up_ = ViewInfo::kNone;
    const std::size_t taken = take_from(rank, share);
    period_bytes_[rank] += taken;
    own_served_ = own_served_ && taken == 0;
    if (end_of_log_is_taken()) next_origin_ = rank;  // All others come before it again.
    if (held_up_ != ViewInfo::kNone || end_of_log_is_taken()) break;
  }
  if (held_up_ == ViewInfo::kNone) next_origin_ = (next_origin_ + 1) % view_.count;
  scan();
}

// Copies complete records of one origin into the log, in stream order, as one run.
std::size_t Lane::take_from(std::size_t rank, std::uint64_t share) noexcept {
  if ((bad_origins_ >> rank & 1) != 0) return 0;
  const Position available = origin_end(rank);
  Position at = taken_[rank];
  std::size_t run = 0;
  bool state_seen = (states_seen_ >> rank & 1) != 0;
  while (at + kRecordHeaderBytes <= available) {
    const RecordHeader header = decode_record_header(origin_at(rank, at));
    const std::size_t bytes = record_bytes(header.payload_bytes);
    const bool is_state = header.kind == RecordKind::GroupState;
    const bool known = header.kind == RecordKind::App || header.kind == RecordKind::Join ||
                       header.kind == RecordKind::Leave || header.kind == RecordKind::Pad ||
                       is_state;
    if (!known || header.origin != view_.node(rank) || header.stream_position != at ||
        bytes > config_.record_bytes_max || is_state == state_seen) {
      bad_origins_ |= std::uint64_t{1} << rank;  // Its first record is a group state, and no other.
      break;
    }
    if (at + bytes > available || (!barrier_ && !is_state)) break;
    const bool is_long = bytes > config_.copy_bytes_max;  // Goes alone, piece by piece.
    if (run > 0 && (run + bytes > share || is_long)) break;
    if (!appendable(run + bytes)) {
      if (run == 0) held_up_ = rank;
      break;
    }
    state_seen = state_seen || is_state;
    run += bytes;
    at += bytes;
    if (bytes > share || is_long) break;
  }
  if (run == 0) return 0;
  move_ = {.rank = rank, .bytes = run, .copied = 0};
  continue_move();
  return run;
}

// Records that are not long are moved at once, however many they are: their run is within a share.
void Lane::continue_move() noexcept {
  const std::size_t rank = move_.rank;
  const Position from = taken_[rank] + move_.copied;
  const std::size_t left = move_.bytes - move_.copied;
  const bool is_long =
      record_bytes(load_le<std::uint32_t>(origin_at(rank, taken_[rank]))) > config_.copy_bytes_max;
  const std::size_t piece = is_long ? std::min<std::size_t>(left, config_.copy_bytes_max) : left;
  std::memcpy(log_.at(log_.received()) + move_.copied, origin_at(rank, from), piece);
  move_.copied += piece;
  if (move_.copied < move_.bytes) return;
  taken_[rank] += move_.bytes;
  append_to_log(move_.bytes);
  move_ = {};
  touch();
  if (!barrier_ || is_long) scan();
}

// One staging area a lane lets one origin at a time send a record longer than its window. The grant
// ends when that record is stable: until then a view change may bring it back as a tail.
void Lane::manage_bulk_grant() noexcept {
  if (bulk_owner_ != ViewInfo::kNone) {
    if (taken_[bulk_owner_] < bulk_limit_) {
      const Position most = taken_[bulk_owner_] + bulk_bytes_max();
      const Position wanted = std::min(peers_[bulk_owner_].bulk_end, most);
      if (barrier_ && wanted > bulk_limit_) {
        bulk_limit_ = wanted;
        touch();
      }
      return;
    }
    bulk_log_end_ = bulk_log_end_ == 0 ? log_.received() : bulk_log_end_;
    if (stable_ < bulk_log_end_) return;
    origins_[bulk_owner_].move_to(memory_.origins[bulk_owner_]);
    bulk_owner_ = ViewInfo::kNone;
  }
  for (std::size_t i = 0; i < view_.count; ++i) {
    const std::size_t rank = (next_origin_ + i) % view_.count;
    if (rank == view_.self || peers_[rank].bulk_end <= origin_limit(rank)) continue;
    if (peers_[rank].bulk_end > taken_[rank] + bulk_bytes_max()) continue;
    // Before the barrier nothing but group states is taken: a grant for more would never end.
    if (!barrier_ && (states_seen_ >> rank & 1) != 0) continue;
    origins_[rank].move_to(memory_.staging);
    bulk_owner_ = rank;
    bulk_limit_ = peers_[rank].bulk_end;
    bulk_log_end_ = 0;
    touch();
    return;
  }
}

// Rule 3.8: an origin that sends nearly all of the lane orders it better itself: its records then
// cross the wire once. Only after the barrier, to a member that was heard, at most once in 10 ms.
void Lane::consider_handover(TimeNs now) noexcept {
  if (now < period_start_ + kHandoverPeriod) return;
  std::uint64_t all = 0;
  std::size_t top = 0;
  for (std::size_t r = 0; r < view_.count; ++r) {
    all += period_bytes_[r];
    if (period_bytes_[r] > period_bytes_[top]) top = r;
  }
  const bool dominant = all >= config_.handover_bytes_min && period_bytes_[top] > all - all / 8;
  period_bytes_.fill(0);
  period_start_ = now;
  if (!config_.handover || !dominant || top == view_.self || !barrier_ || !is_orderer() ||
      reserved_at_ != nullptr || bulk_owner_ != ViewInfo::kNone ||
      peers_[top].heard + kHandoverPeriod < now || ordered_[view_.self] != stream_end_ ||
      !appendable(record_bytes(4)) || now < handover_at_ + kHandoverPeriod) {
    return;
  }
  handover_at_ = now;
  std::array<std::byte, 4> to{};
  store_le<std::uint32_t>(to.data(), view_.node(top));
  append_own({.kind = RecordKind::HandOver}, to);
}

}  // namespace phalanx::core
