#include <algorithm>

#include "dataplane/core/lane.h"

namespace phalanx::core {

using wire::FrameType;

Placement Lane::place(const wire::FrameHeader& header, std::size_t rank,
                      std::size_t bytes) const noexcept {
  const Position from = header.position;
  const Position to = from + bytes;
  const auto into = [&](const Receiver& rx, Position limit) -> Placement {
    if (bytes == 0 || to < from) return {Verdict::Malformed, nullptr};
    if (to > limit || !rx.has_room(from)) return {Verdict::OutOfRange, nullptr};
    switch (rx.fit(from, to)) {
      case Receiver::Fit::Held:
        return {Verdict::Duplicate, nullptr};
      case Receiver::Fit::Partial:
        return {Verdict::Accepted, nullptr};
      case Receiver::Fit::Free:
        return {Verdict::Accepted, rx.at(from)};
    }
    return {Verdict::Malformed, nullptr};
  };
  switch (header.type) {
    case FrameType::Ordered:
      if (!running()) return {Verdict::WrongState, nullptr};
      // The orderer's memory ends where it appended; nobody else orders, so nothing is new to it.
      return is_orderer() ? Placement{Verdict::Duplicate, nullptr} : into(log_, limit());
    case FrameType::Submit:
      if (!running() || !is_orderer()) return {Verdict::WrongState, nullptr};
      return into(origins_[rank], origin_limit(rank));
    case FrameType::Row:
    case FrameType::Nak:
      return {running() ? Verdict::Accepted : Verdict::WrongState, nullptr};
    case FrameType::RecoverNak:
      return {recovering_ ? Verdict::Accepted : Verdict::WrongState, nullptr};
    case FrameType::RecoverLog:
      if (!recovering_) return {Verdict::WrongState, nullptr};
      return into(log_, plan_.cut);
    case FrameType::RecoverTail: {
      // A poisoned lane never made out where some of the tails would go.
      if (!recovering_ || !cut_reached_ || poisoned_) return {Verdict::WrongState, nullptr};
      const auto at = std::find(set_ranks_.begin(), set_ranks_.end(), rank);
      if (at == set_ranks_.end()) return {Verdict::NotMember, nullptr};
      return into(origins_[rank], tails_[static_cast<std::size_t>(at - set_ranks_.begin())].to);
    }
    case FrameType::Control:
      break;
  }
  return {Verdict::Malformed, nullptr};
}

Verdict Lane::accept(const wire::FrameHeader& header, std::size_t rank,
                     std::span<const std::byte> payload, TimeNs now) noexcept {
  const Placement where = place(header, rank, payload.size());
  if (where.verdict != Verdict::Accepted) return where.verdict;
  peers_[rank].heard = now;
  const bool in_place = payload.data() == where.target;
  const auto put = [&](Receiver& rx) {
    if (in_place) {
      rx.insert(header.position, header.position + payload.size());
    } else {
      rx.fill(header.position, payload);
    }
  };
  switch (header.type) {
    case FrameType::Ordered:
      put(log_);
      ++frames_since_row_;
      touch();
      scan();
      return Verdict::Accepted;
    case FrameType::Submit:
      put(origins_[rank]);
      ++frames_since_row_;
      touch();
      return Verdict::Accepted;
    case FrameType::Row:
      return accept_row(rank, payload, now);
    case FrameType::Nak:
      return accept_nak(rank, payload);
    case FrameType::RecoverNak:
      return accept_recover_nak(rank, payload);
    case FrameType::RecoverLog:
      put(log_);
      return Verdict::Accepted;
    case FrameType::RecoverTail:
      put(origins_[rank]);
      return Verdict::Accepted;
    case FrameType::Control:
      break;
  }
  return Verdict::Malformed;
}

Verdict Lane::accept_row(std::size_t rank, std::span<const std::byte> payload,
                         TimeNs now) noexcept {
  Row row;
  if (!decode_row(payload, row)) return Verdict::Malformed;
  if (row.origin_count != 0 && row.origin_count != view_.count) return Verdict::Malformed;
  Peer& peer = peers_[rank];
  const bool moved = row.received > peer.received;
  peer.received = std::max(peer.received, row.received);
  peer.limit = std::max(peer.limit, row.limit);
  peer.bulk_end = row.bulk_end;
  peer.distrusts_itself = row.distrusts_itself;
  if (moved || peer.received >= log_.known_end()) peer.progressed = now;
  log_.note_end(row.log_end);
  if (hash_.contradicts({row.hash_index, row.hash})) ++divergences_;
  if (is_orderer() && rank != view_.self) origins_[rank].note_end(row.stream_end);
  // Only the orderer that this node's contiguous log names, at the same hand-over, lets it send.
  if (row.orderer && row.origin_count != 0 && view_.node(rank) == orderer_ &&
      row.handovers == handovers_) {
    submit_limit_ = std::max(submit_limit_, row.origins[view_.self].limit);
    submit_received_ = std::max(submit_received_, row.origins[view_.self].received);
  }
  update_stable();
  return Verdict::Accepted;
}

Verdict Lane::accept_nak(std::size_t rank, std::span<const std::byte> payload) noexcept {
  Nak nak;
  if (!decode_nak(payload, nak)) return Verdict::Malformed;
  const bool log = nak.what == Nak::What::Log;
  const Position low = log ? stable_ : ordered_[view_.self];
  const Position high = log ? log_sent() : submit_sent_;
  for (std::size_t i = 0; i < nak.count; ++i) {
    const Position from = std::max(nak.spans[i].from, low);
    const Position to = std::min(nak.spans[i].to, high);
    if (from >= to) continue;
    queue_repair({nak.what, from, to, {transport::Destination::Kind::Peer, view_.node(rank)}});
  }
  return Verdict::Accepted;
}

// The range must be held as a whole: a holder was named for it by the plan.
Verdict Lane::accept_recover_nak(std::size_t rank, std::span<const std::byte> payload) noexcept {
  Nak nak;
  if (!decode_nak(payload, nak)) return Verdict::Malformed;
  const transport::Destination to{transport::Destination::Kind::Peer, view_.node(rank)};
  for (std::size_t i = 0; i < nak.count; ++i) {
    const auto [from, end] = nak.spans[i];
    if (nak.what == Nak::What::Log) {
      if (end <= plan_.cut && log_.fit(from, end) == Receiver::Fit::Held) {
        queue_repair({nak.what, from, end, to});
      }
    } else if (cut_reached_ && from >= ordered_[view_.self] && end <= stream_end_) {
      queue_repair({nak.what, from, end, to});
    }
  }
  return Verdict::Accepted;
}

// A range that waits already is not queued twice; when a second member asks for it, all get it.
void Lane::queue_repair(const Repair& repair) noexcept {
  for (std::size_t i = repairs_head_; i < repairs_.size(); ++i) {
    Repair& waiting = repairs_[i];
    if (waiting.what == repair.what && waiting.from <= repair.from && repair.to <= waiting.to) {
      if (waiting.to_whom != repair.to_whom) waiting.to_whom = {};
      return;
    }
  }
  if (repairs_.size() < repairs_.capacity()) repairs_.push_back(repair);
}

}  // namespace phalanx::core
