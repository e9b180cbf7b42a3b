// What the live ones do for the others. The director, the lowest of them, says what is next, and
// its word takes effect at its place in the order: first each other side shares what it took, then
// a giver brings all who wait up to date. One thing at a time.

#include <algorithm>

#include "ipc/base/assert.h"
#include "ipc/replica/replica.h"

namespace phalanx::replica {
namespace {

std::uint64_t packed(MemberId id) noexcept { return std::uint64_t{id.node} << 32 | id.client; }

}  // namespace

const Replica::Row* Replica::director() const noexcept {
  const auto at = std::find_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.live; });
  return at == rows_.end() ? nullptr : at;
}

const Replica::Row* Replica::giver() const noexcept {
  const auto at = std::find_if(rows_.begin(), rows_.end(),
                               [](const Row& row) { return row.live && !row.failed; });
  return at == rows_.end() ? nullptr : at;
}

void Replica::direct(TimeNs now) noexcept {
  if (!live_ || meeting_ || directed_ || activity_ != Activity::None) return;
  const Row* first = director();
  if (first == nullptr || first->id != self_) return;
  Buffer body;
  for (const Row& row : rows_) {
    if (row.live || !row.hello || !row.has_state || row.shared) continue;
    PHX_CHECK(origins_.write(body));
    directed_ = true;
    active_at_ = now;
    return say(Kind::Ask, packed(row.id), body.bytes());
  }
  const bool waits = std::any_of(rows_.begin(), rows_.end(),
                                 [](const Row& row) { return !row.live && row.hello; });
  if (!waits) return;
  const Row* chosen = giver();
  if (chosen == nullptr) {  // Everybody failed: after a while, from the beginning.
    for (Row& row : rows_) row.failed = false;
    retry_at_ = now + options_.retry_time;
    return;
  }
  if (retry_at_ != kNever && now < retry_at_) return;
  retry_at_ = kNever;
  bool good = body.put(chosen->id.node) && body.put(chosen->id.client);
  for (const Row& row : rows_) {
    if (!row.live && row.hello) good = good && body.put(row.id.node) && body.put(row.id.client);
  }
  PHX_CHECK(good);
  directed_ = true;
  say(Kind::Give, options_.origin + ++transfers_, body.bytes());
}

void Replica::end_activity() noexcept {
  activity_ = Activity::None;
  partner_ = {};
  directed_ = giving_ = sharing_ = false;
  outgoing_.release();
  for (Row& row : rows_) row.taking = false;
}

void Replica::forget_member(MemberId id) noexcept {
  Row* row = row_of(id);
  if (row == nullptr) return;
  if (row->taking) end_taking(id);
  rows_.erase(row);
  if (activity_ != Activity::None && partner_ == id) end_activity();
}

void Replica::on_ask(const Header& header, std::span<const std::byte> body, TimeNs now) noexcept {
  const MemberId who{static_cast<std::uint32_t>(header.number >> 32),
                     static_cast<std::uint32_t>(header.number)};
  if (meeting_) return;
  if (current_) {
    const Row* row = row_of(who);
    if (header.origin == options_.origin) directed_ = false;
    if (activity_ != Activity::None || row == nullptr || row->live) return direct(now);
    activity_ = Activity::Sharing;
    partner_ = who;
    active_at_ = now;
    merged_ = 0;
    return;
  }
  BufferReader in(body);
  if (who != self_ || !has_state_ || !asked_for_.read(in)) return;
  sharing_ = true;
  shared_to_ = 0;
  outside_since_ = now;
  say_origins(kShareBegins);
}

void Replica::pump_share() noexcept {
  const std::size_t most = std::min(options_.chunk_bytes_max, options_.message_bytes_max - 64);
  while (outbox_.empty()) {
    std::span<const std::byte> rest = history_.bytes().subspan(shared_to_);
    Buffer body;
    std::size_t looked = shared_to_;
    for (History::Entry entry; body.size() < most;) {
      const std::span<const std::byte> at = rest;
      if (!History::next(rest, entry)) break;
      const std::size_t size = at.size() - rest.size();
      const bool lacking = entry.number > asked_for_.number(entry.origin);
      if (lacking && !body.empty() && body.size() + size > most) break;
      if (lacking) PHX_CHECK(body.append(at.data(), size));
      looked += size;
    }
    if (body.empty()) break;
    std::byte header[kHeaderBytes];
    encode({.kind = Kind::Share, .origin = options_.origin}, header);
    const iovec parts[2] = {{.iov_base = header, .iov_len = sizeof header},
                            {.iov_base = body.data(), .iov_len = body.size()}};
    if (!host_.send(host_.context, parts, 2)) return;
    shared_to_ = looked;
  }
  sharing_ = false;
  say_origins(kShareEnds);
}

void Replica::say_origins(std::uint64_t number) noexcept {
  Buffer body;
  PHX_CHECK(origins_.write(body));
  say(Kind::Shared, number, body.bytes());
}

/// Rule: what another side took, and this one lacks, is merged where it is delivered, so that all
/// live ones do alike whatever becomes of who shares; what is missing then, the next one has.
void Replica::on_share(MemberId from, std::span<const std::byte> body, TimeNs now) noexcept {
  if (!current_ || activity_ != Activity::Sharing || from != partner_) return;
  active_at_ = now;
  for (History::Entry entry; History::next(body, entry);) {
    if (entry.origin == 0 || entry.number <= origins_.number(entry.origin)) continue;
    origins_.at(entry.origin).number = entry.number;
    const Operation operation{.origin = entry.origin,
                              .number = entry.number,
                              .bytes = entry.bytes,
                              .own = entry.origin == options_.origin};
    const bool taken = host_.merge != nullptr && host_.merge(host_.context, operation);
    note(entry.origin, entry.number, taken ? 0 : 1);
    if (!taken) {
      ++counters_.merge_failures;
      notice(Event::MergeFailed, Fault::None, from, 1);
      continue;
    }
    ++counters_.merged;
    ++merged_;
    (void)history_.make_room(entry.bytes.size(), origins_);
    PHX_CHECK(history_.append(entry.origin, entry.number, entry.bytes));
    if (quorate_ && !transitional_) history_.settle();
  }
  answer_overtaken();
}

void Replica::on_shared(MemberId from, const Header& header, std::span<const std::byte> body,
                        TimeNs now) noexcept {
  if (!current_ || activity_ != Activity::Sharing || from != partner_) return;
  active_at_ = now;
  Origins theirs;
  BufferReader in(body);
  if (!theirs.read(in)) {
    ++counters_.rejected;
    return;
  }
  // Rule: what its history has no more is told before the rest, which would hide the gap: it may
  // die in the middle.
  if (header.number == kShareBegins) {
    const bool lost = std::any_of(
        theirs.entries().begin(), theirs.entries().end(),
        [&](const Origins::Entry& entry) { return entry.floor > origins_.number(entry.origin); });
    counters_.lost_sides += lost ? 1 : 0;
    if (lost) notice(Event::Lost, Fault::None, from);
    return;
  }
  for (const Origins::Entry& entry : theirs.entries()) {
    Origins::Entry& mine = origins_.at(entry.origin);
    mine.number = std::max(mine.number, entry.number);
  }
  const Row* sharer = row_of(from);
  const Key key = sharer == nullptr ? Key{} : sharer->key;
  for (Row& row : rows_) row.shared = row.shared || (row.hello && row.key == key) || row.id == from;
  if (merged_ != 0) notice(Event::Merged, Fault::None, from, merged_);
  answer_overtaken();
  end_activity();
  direct(now);
}

void Replica::on_drop(MemberId who, TimeNs now) noexcept {
  if (meeting_) return;
  if (who == self_ && !live_) {
    if (taking_) stop_taking(now);
    become_outsider(now);
    return say_hello(0);
  }
  Row* row = row_of(who);
  if (!current_ || row == nullptr) return;
  notice(Event::GiverFailed, Fault::Silent, who);
  if (activity_ == Activity::Giving && row->taking) {
    row->hello = false;
    end_taking(who);
  } else if (activity_ != Activity::None && partner_ == who) {
    row->failed = true;
    if (!row->live) row->hello = false;
    end_activity();
  }
  direct(now);
}

}  // namespace phalanx::replica
