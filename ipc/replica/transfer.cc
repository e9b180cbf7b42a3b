// Transfers, as live replicas see them: the giver cuts its state at the order's place of Give and
// streams it in pieces, in the same order, while everybody goes on.

#include <algorithm>

#include "ipc/base/assert.h"
#include "ipc/replica/replica.h"
#include "ipc/replica/snapshot.h"

namespace phalanx::replica {

void Replica::on_give(const Header& header, std::span<const std::byte> body, TimeNs now) noexcept {
  BufferReader in(body);
  const MemberId giver{in.take<std::uint32_t>(), in.take<std::uint32_t>()};
  if (meeting_ || !in.good() || in.rest().size() % 8 != 0) return;
  if (current_ && header.origin == options_.origin) directed_ = false;
  if (current_ && activity_ != Activity::None) return;
  bool any = false;
  bool mine = false;
  while (!in.rest().empty()) {
    const MemberId taker{in.take<std::uint32_t>(), in.take<std::uint32_t>()};
    mine = mine || taker == self_;
    if (Row* row = current_ ? row_of(taker) : nullptr; row != nullptr && !row->live && row->hello) {
      row->taking = any = true;
    }
  }
  if (!current_) {
    if (mine && is_member(giver)) start_taking(header.number, giver, now);
    return;
  }
  const Row* from = row_of(giver);
  if (from == nullptr || !from->live) {
    for (Row& row : rows_) row.taking = false;
    return direct(now);
  }
  if (!any) return direct(now);
  activity_ = Activity::Giving;
  partner_ = giver;
  transfer_ = header.number;
  active_at_ = now;
  if (giver == self_ && live_) cut(now);
}

void Replica::cut(TimeNs now) noexcept {
  (void)now;
  given_to_ = in_flight_ = 0;
  outgoing_.release();
  const Fault fault = write_snapshot(outgoing_);
  giving_ = fault == Fault::None;
  if (giving_) return;
  outgoing_.release();
  ++counters_.transfer_faults;
  say_fault(Kind::Abort, transfer_, fault);
}

/// Rule: of settled history the taker gets as much as goes at once. That its floors are higher
/// changes nothing that replicas do alike.
std::span<const std::byte> Replica::recent_history(Origins& origins) const noexcept {
  for (const Origins::Entry& entry : origins_.entries()) origins.at(entry.origin) = entry;
  std::span<const std::byte> rest = history_.bytes();
  std::size_t settled = history_.settled_bytes();
  for (History::Entry entry; settled > options_.chunks_in_flight_bytes_max / 2;) {
    const std::size_t before = rest.size();
    if (!History::next(rest, entry)) break;
    settled -= std::min(settled, before - rest.size());
    origins.raise_floor(entry.origin, entry.number);
  }
  return rest;
}

Fault Replica::write_snapshot(Buffer& out) noexcept {
  Origins origins;
  const std::span<const std::byte> history = recent_history(origins);
  const std::size_t settled = history_.settled_bytes() - (history_.bytes().size() - history.size());
  bool good = out.put(options_.version) && out.put<std::uint32_t>(kSnapshotFormat) &&
              out.put(key_.quorum) && out.put(key_.operations) && out.put(key_.digest) &&
              origins.write(out) && out.put(static_cast<std::uint32_t>(rows_.size()));
  for (const Row& row : rows_) {
    const unsigned flags = (row.live ? kRowLive : 0u) | (row.hello ? kRowHello : 0u) |
                           (row.has_state ? kRowHasState : 0u) | (row.shared ? kRowShared : 0u) |
                           (row.failed ? kRowFailed : 0u) | (row.taking ? kRowTaking : 0u);
    good = good && out.put(row.id.node) && out.put(row.id.client) && out.put(row.origin) &&
           out.put(row.key.quorum) && out.put(row.key.operations) && out.put(row.key.digest) &&
           out.put(flags);
  }
  good = good && out.put<std::uint64_t>(settled) && out.put<std::uint64_t>(history.size()) &&
         out.append(history.data(), history.size());
  if (!good) return Fault::Memory;
  if (!host_.snapshot(host_.context, out)) return Fault::Snapshot;
  return out.size() > options_.snapshot_bytes_max ? Fault::TooLarge : Fault::None;
}

/// Rule: what is on its way is bounded, so that operations find room between the pieces.
void Replica::pump_chunks() noexcept {
  const std::size_t most = std::min(options_.chunk_bytes_max, options_.message_bytes_max - 64);
  while (given_to_ < outgoing_.size()) {
    if (in_flight_ >= options_.chunks_in_flight_bytes_max || !outbox_.empty()) return;
    const std::size_t bytes =
        std::min<std::size_t>(most, outgoing_.size() - static_cast<std::size_t>(given_to_));
    std::byte header[kHeaderBytes + 8];
    encode({.kind = Kind::Chunk, .origin = options_.origin, .number = transfer_}, header);
    store_le<std::uint64_t>(header + kHeaderBytes, given_to_);
    const iovec parts[2] = {{.iov_base = header, .iov_len = sizeof header},
                            {.iov_base = outgoing_.data() + given_to_, .iov_len = bytes}};
    if (!host_.send(host_.context, parts, 2)) return;
    given_to_ += bytes;
    in_flight_ += bytes;
  }
  std::byte end[16];
  store_le<std::uint64_t>(end, outgoing_.size());
  store_le<std::uint64_t>(end + 8, hash_bytes(outgoing_.bytes()));
  say(Kind::End, transfer_, end);
  giving_ = false;
  outgoing_.release();
  ++counters_.given;
}

void Replica::on_abort(MemberId from, const Header& header, std::span<const std::byte> body,
                       TimeNs now) noexcept {
  if (!current_ || activity_ != Activity::Giving || from != partner_ || header.number != transfer_)
    return;
  notice(Event::GiverFailed, body.empty() ? Fault::None : static_cast<Fault>(body[0]), from);
  if (Row* row = row_of(from)) row->failed = true;
  end_activity();
  direct(now);
}

/// Rule: from here on the taker's operations count.
void Replica::on_ready(MemberId from, const Header& header, std::span<const std::byte> body,
                       TimeNs now) noexcept {
  if (!current_ || meeting_ || body.size() != 8) return;
  Row* row = row_of(from);
  if (row == nullptr || row->live) return;
  const bool own = from == self_;
  if (!row->taking || header.number != transfer_) {
    if (!own) return;
    become_outsider(now);
    return say_hello(0);
  }
  row->live = true;
  const std::uint64_t next = load_le<std::uint64_t>(body.data());
  Origins::Entry& origin = origins_.at(row->origin);
  // What it numbered and this side will never have is over: its numbers go on from there.
  if (next > 0) origin.number = std::max(origin.number, next - 1);
  prune_origins();
  if (own) {
    live_ = true;
    send_operations_again();
    notice(Event::Live);
  }
  end_taking(from);
  direct(now);
}

void Replica::on_nack(MemberId from, const Header& header, std::span<const std::byte> body,
                      TimeNs now) noexcept {
  if (!current_ || activity_ != Activity::Giving || header.number != transfer_) return;
  const Row* row = row_of(from);
  if (row == nullptr || !row->taking) return;
  notice(Event::GiverFailed, body.empty() ? Fault::None : static_cast<Fault>(body[0]), partner_);
  if (Row* giver = row_of(partner_)) giver->failed = true;
  end_taking(from);
  direct(now);
}

void Replica::end_taking(MemberId id) noexcept {
  if (Row* row = row_of(id)) row->taking = false;
  const bool more =
      std::any_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.taking; });
  if (activity_ == Activity::Giving && !more) end_activity();
}

}  // namespace phalanx::replica
