#include <algorithm>

#include "dataplane/core/lane.h"

namespace phalanx::core {
namespace {

using transport::Destination;
using wire::FrameType;

constexpr TimeNs kAskFirst = 20 * kMicrosecond;
constexpr TimeNs kTailAskFirst = 200 * kMicrosecond;  // The tail's owner sends it by itself.

}  // namespace

void Lane::freeze() noexcept {
  if (running()) scan();  // What was committed counts.
  frozen_ = true;
}

wire::LaneReport Lane::report() const {
  PHX_CHECK(frozen_);
  wire::LaneReport report{.received = log_.received(),
                          .delivered = deliverable_,
                          .stable = stable_,
                          .stream_base = stream_base_,
                          .stream_end = stream_end_,
                          .held = {}};
  report.held.assign(log_.held().begin(), log_.held().end());
  return report;
}

// Whether a plan agrees with what this node holds and reported.
bool Lane::accepts(const wire::TransitionalSet& set) const noexcept {
  const wire::LanePlan& plan = set.lanes[id_];
  if (plan.cut < log_.received() || plan.streams.size() != set.members.size() ||
      plan.cut > limit() || plan.regular > plan.cut) {
    return false;
  }
  for (std::size_t i = 0; i < set.members.size(); ++i) {
    const std::size_t rank = view_.rank_of(set.members[i].node);
    if (rank == ViewInfo::kNone || view_.entries[rank] != set.members[i]) return false;
    if (rank == view_.self && plan.streams[i].to != stream_end_) return false;
  }
  return true;
}

// Starts the recovery that a plan asks for, or starts it again for a newer plan: bytes of the log
// that an earlier attempt brought stay, tails are asked for anew.
void Lane::begin_recovery(const wire::TransitionalSet& set, TimeNs now) {
  PHX_CHECK(frozen_ && view_.self != ViewInfo::kNone);
  const wire::LanePlan& plan = set.lanes[id_];
  std::vector<std::size_t> ranks;
  for (const Member& member : set.members) ranks.push_back(view_.rank_of(member.node));
  recovering_ = true;
  cut_reached_ = false;
  plan_ = plan;
  set_ranks_ = std::move(ranks);
  tails_.assign(set_ranks_.size(), {});
  log_.drop_above(plan.cut);
  log_.note_end(plan.cut);
  scan_limit_ = plan.cut;
  log_gap_ = {log_.received(), now + kAskFirst, kAskFirst};
  repairs_.clear();
  repairs_head_ = 0;
  recover_step(now);
}

void Lane::recover_step(TimeNs now) noexcept {
  if (!cut_reached_ && log_.received() >= plan_.cut) reach_cut(now);
}

// The cut is in: rounded down to a record end it says what of each stream was ordered, so that the
// rest of each stream is its owner's tail.
void Lane::reach_cut(TimeNs now) noexcept {
  scan();
  cut_reached_ = true;
  log_gap_.ask_at = kNever;
  bool staging_used = false;
  for (std::size_t i = 0; i < set_ranks_.size(); ++i) {
    const std::size_t rank = set_ranks_[i];
    Tail& tail = tails_[i];
    tail.from = std::max(plan_.streams[i].from, ordered_[rank]);
    tail.to = std::max(plan_.streams[i].to, tail.from);
    if (rank == view_.self) {
      tail_sent_ = tail.from;
      continue;
    }
    const bool large = tail.to - tail.from > memory_.origins[rank].bytes;
    if (large && (staging_used || tail.to - tail.from > memory_.staging.bytes)) {
      poisoned_ = true;  // Only one bulk grant was ever out: somebody's report is wrong.
      return;
    }
    staging_used = staging_used || large;
    origins_[rank].reset(large ? memory_.staging : memory_.origins[rank], 0, tail.from);
    origins_[rank].note_end(tail.to);
    tail.gap = {tail.from, now + kTailAskFirst, kTailAskFirst};
  }
}

bool Lane::recovered() const noexcept {
  if (!recovering_ || !cut_reached_ || poisoned_) return false;
  for (std::size_t i = 0; i < set_ranks_.size(); ++i) {
    const std::size_t rank = set_ranks_[i];
    if (rank != view_.self && !origins_[rank].complete_to(tails_[i].to)) return false;
  }
  return true;
}

// Own tail to all of the set, once; log ranges from their named holder; what did not come is asked
// for.
std::size_t Lane::send_recovery(std::span<TxItem> out, TimeNs now) noexcept {
  recover_step(now);
  std::size_t n = 0;
  if (!cut_reached_) {
    if (!out.empty() && ask(log_gap_, log_.received(), true, kAskFirst, now)) {
      std::array<wire::Range, wire::kRangesMax + 1> gaps;
      const std::size_t count = log_.missing(plan_.cut, gaps);
      // One holder a turn; the others follow when their bytes are the first that lack.
      for (const wire::Holding& holding : plan_.holdings) {
        Nak nak{.what = Nak::What::Log, .count = 0, .spans = {}};
        for (std::size_t i = 0; i < count && nak.count < Nak::kSpansMax; ++i) {
          const Position from = std::max(gaps[i].from, holding.range.from);
          const Position to = std::min(gaps[i].to, holding.range.to);
          if (from < to) nak.spans[nak.count++] = {from, to};
        }
        if (nak.count == 0 || n == out.size() || n == kNodesMax) continue;
        const std::size_t bytes = encode_nak(nak, nak_bytes_[n]);
        out[n] = {FrameType::RecoverNak,
                  id_,
                  0,
                  {Destination::Kind::Peer, holding.holder},
                  {nak_bytes_[n].data(), bytes}};
        ++n;
      }
    }
    return n + send_repairs(out.subspan(n));
  }
  const std::size_t self = static_cast<std::size_t>(
      std::find(set_ranks_.begin(), set_ranks_.end(), view_.self) - set_ranks_.begin());
  while (n < out.size() && tail_sent_ < tails_[self].to && set_ranks_.size() > 1) {
    const std::size_t bytes =
        std::min<std::uint64_t>(config_.frame_payload_bytes, tails_[self].to - tail_sent_);
    const std::byte* at = memory_.stream.data + (tail_sent_ & (memory_.stream.bytes - 1));
    out[n++] = {FrameType::RecoverTail, id_, tail_sent_, {}, {at, bytes}};
    tail_sent_ += bytes;
  }
  for (std::size_t i = 0; i < set_ranks_.size() && n < out.size(); ++i) {
    const std::size_t rank = set_ranks_[i];
    if (rank == view_.self) continue;
    const Receiver& rx = origins_[rank];
    if (!ask(tails_[i].gap, rx.received(), !rx.complete_to(tails_[i].to), kTailAskFirst, now))
      continue;
    out[n++] = nak_item(FrameType::RecoverNak, Nak::What::Stream, rx, tails_[i].to, rank,
                        view_.node(rank));
  }
  return n + send_repairs(out.subspan(n));
}

}  // namespace phalanx::core
