// The taker: keeps what is delivered after the cut, and when the state is there, goes through it.

#include <algorithm>

#include "ipc/base/assert.h"
#include "ipc/replica/replica.h"
#include "ipc/replica/snapshot.h"

namespace phalanx::replica {

void Replica::start_taking(std::uint64_t transfer, MemberId from, TimeNs now) noexcept {
  sharing_ = false;
  taking_ = true;
  transfer_ = transfer;
  partner_ = from;
  heard_at_ = now;
  unsettled_ = false;  // The giver settled before it cut.
  incoming_.clear();
  log_.clear();
}

/// Back to where an outsider is; what the log has of views is made good.
void Replica::stop_taking(TimeNs now) noexcept {
  taking_ = false;
  partner_ = {};
  outside_since_ = now;
  incoming_.release();
  replay(/*views_only=*/true, now);
}

void Replica::fail_taking(Fault fault, TimeNs now) noexcept {
  ++counters_.transfer_faults;
  notice(Event::GiverFailed, fault, partner_);
  say_fault(Kind::Nack, transfer_, fault);
  stop_taking(now);
}

void Replica::on_chunk(MemberId from, const Header& header, std::span<const std::byte> body,
                       TimeNs now) noexcept {
  if (!taking_) {
    if (activity_ == Activity::Giving && from == partner_) active_at_ = now;
    if (from != self_ || header.number != transfer_ || body.size() < 8) return;
    in_flight_ -= std::min<std::uint64_t>(in_flight_, body.size() - 8);
    return;
  }
  heard_at_ = now;
  if (body.size() < 8 || load_le<std::uint64_t>(body.data()) != incoming_.size())
    return fail_taking(Fault::Corrupt, now);
  const std::span<const std::byte> piece = body.subspan(8);
  if (incoming_.size() + piece.size() > options_.snapshot_bytes_max)
    return fail_taking(Fault::TooLarge, now);
  if (!incoming_.append(piece.data(), piece.size())) fail_taking(Fault::Memory, now);
}

void Replica::on_end(MemberId from, const Header& header, std::span<const std::byte> body,
                     TimeNs now) noexcept {
  (void)from;
  if (!taking_) return;
  const bool whole = body.size() == 16 && load_le<std::uint64_t>(body.data()) == incoming_.size() &&
                     load_le<std::uint64_t>(body.data() + 8) == hash_bytes(incoming_.bytes());
  const Fault fault = whole ? load(now) : Fault::Corrupt;
  if (fault != Fault::None) return fail_taking(fault, now);
  ++counters_.taken;
  std::byte next[8];
  store_le<std::uint64_t>(next, pending_.first_number());
  say(Kind::Ready, header.number, next);
}

Fault Replica::load(TimeNs now) noexcept {
  if (const Fault fault = read_snapshot(); fault != Fault::None) return fault;
  incoming_.release();
  taking_ = false;
  current_ = true;
  activity_ = Activity::Giving;
  active_at_ = now;
  replay(/*views_only=*/false, now);
  return Fault::None;
}

/// All of it is looked at before the application's state is touched, and nothing of ours changes
/// before that has changed.
Fault Replica::read_snapshot() noexcept {
  BufferReader in(incoming_.bytes());
  const auto version = in.take<std::uint32_t>();
  const auto format = in.take<std::uint32_t>();
  if (!in.good()) return Fault::Corrupt;
  if (format != kSnapshotFormat || version > options_.version || version < options_.version_min)
    return Fault::Version;
  const Key key{in.take<std::uint64_t>(), in.take<std::uint64_t>(), in.take<std::uint64_t>()};
  BufferReader origins_at = in;
  if (Origins looked_at; !looked_at.read(in)) return Fault::Corrupt;
  const auto rows = in.take<std::uint32_t>();
  BufferReader rows_in(in.take_bytes(std::size_t{rows} * kRowBytes));
  const auto settled = static_cast<std::size_t>(in.take<std::uint64_t>());
  const auto history_bytes = static_cast<std::size_t>(in.take<std::uint64_t>());
  const std::span<const std::byte> history = in.take_bytes(history_bytes);
  if (!in.good() || settled > history.size()) return Fault::Corrupt;
  std::span<const std::byte> entries = history;
  for (History::Entry entry; History::next(entries, entry);) {
  }
  if (!entries.empty()) return Fault::Corrupt;

  // Rule: between here and its success there is no state; a failure leaves none, never a half.
  has_state_ = pristine_ = false;
  if (!host_.restore(host_.context, in.rest(), version, false)) return Fault::Restore;
  has_state_ = true;
  key_ = key;
  PHX_CHECK(origins_.read(origins_at));
  if (!history_.assign(history, settled)) history_.clear();
  rows_.clear();
  for (std::uint32_t i = 0; i < rows; ++i) {
    Row row{.id = {rows_in.take<std::uint32_t>(), rows_in.take<std::uint32_t>()},
            .origin = rows_in.take<std::uint64_t>(),
            .key = {rows_in.take<std::uint64_t>(), rows_in.take<std::uint64_t>(),
                    rows_in.take<std::uint64_t>()}};
    const auto flags = rows_in.take<std::uint32_t>();
    row.live = (flags & kRowLive) != 0;
    row.hello = (flags & kRowHello) != 0;
    row.has_state = (flags & kRowHasState) != 0;
    row.shared = (flags & kRowShared) != 0;
    row.failed = (flags & kRowFailed) != 0;
    row.taking = (flags & kRowTaking) != 0;
    rows_.push_back(row);
  }
  return Fault::None;
}

void Replica::log(Logged what, MemberId who, std::span<const std::byte> bytes) noexcept {
  PHX_CHECK(log_.put(static_cast<std::uint64_t>(what)) && log_.put(who.node) &&
            log_.put(who.client) && log_.put<std::uint64_t>(bytes.size()) &&
            log_.append(bytes.data(), bytes.size()));
}

void Replica::log_view(Logged what, std::uint64_t sequence, bool quorate) noexcept {
  std::byte bytes[16];
  store_le<std::uint64_t>(bytes, sequence);
  store_le<std::uint64_t>(bytes + 8, quorate ? 1 : 0);
  log(what, {}, bytes);
}

void Replica::replay(bool views_only, TimeNs now) noexcept {
  Buffer log(std::move(log_));
  replaying_ = true;
  while (!log.empty()) {
    BufferReader in(log.bytes());
    const auto what = static_cast<Logged>(in.take<std::uint64_t>());
    const MemberId who{in.take<std::uint32_t>(), in.take<std::uint32_t>()};
    const auto count = static_cast<std::size_t>(in.take<std::uint64_t>());
    const std::span<const std::byte> bytes = in.take_bytes(count);
    PHX_CHECK(in.good());
    switch (what) {
      case Logged::Message:
        if (!views_only) handle(who, bytes, now);
        break;
      case Logged::NodeView:
        apply_node_view(load_le<std::uint64_t>(bytes.data()),
                        load_le<std::uint64_t>(bytes.data() + 8) != 0);
        break;
      case Logged::Transitional:
        transitional_ = true;
        break;
      case Logged::Left:
        if (!views_only) forget_member(who);
        break;
      case Logged::Joined:
        if (!views_only && row_of(who) == nullptr) {
          Row* at = std::lower_bound(rows_.begin(), rows_.end(), who,
                                     [](const Row& row, MemberId id) { return row.id < id; });
          rows_.insert(at, {.id = who});
        }
        break;
    }
    log.consume(24 + count);
  }
  replaying_ = false;
}

}  // namespace phalanx::replica
