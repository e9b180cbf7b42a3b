// Meetings: everyone says which state it has, and at the last word all know alike who goes on.

#include <algorithm>

#include "ipc/base/assert.h"
#include "ipc/replica/replica.h"

namespace phalanx::replica {
namespace {

constexpr std::uint8_t kHasState = 1;
constexpr std::uint8_t kPristine = 2;

}  // namespace

/// Hello: u8 flags, key (three u64), then, with a state, its origins.
void Replica::say_hello(std::uint64_t nonce) noexcept {
  Buffer body;
  bool good = body.put<std::uint8_t>(
      static_cast<std::uint8_t>((has_state_ ? kHasState : 0) | (pristine_ ? kPristine : 0)));
  good = good && body.put(key_.quorum) && body.put(key_.operations) && body.put(key_.digest);
  if (has_state_) good = good && origins_.write(body);
  PHX_CHECK(good);
  say(Kind::Hello, nonce, body.bytes());
}

/// Rule: operations wait until it is known whose state goes on. What waited in a meeting that came
/// to nothing was delivered to all who came along, so each side takes it; numbers tell it apart.
void Replica::start_meeting(std::uint64_t nonce, TimeNs now) noexcept {
  if (taking_) stop_taking(now);
  if (meeting_ && current_) apply_held();
  end_activity();
  meeting_ = true;
  close_said_ = false;
  nonce_ = nonce;
  met_at_ = now;
  ++counters_.meetings;
  hellos_.clear();
  held_.clear();
  Array<Row> old;
  if (current_) old.assign({rows_.begin(), rows_.size()});
  rows_.clear();
  for (const MemberId id : members_) {
    Row row{.id = id, .here = true};
    for (const Row& known : old) {
      if (known.id == id) {
        row.live = known.live;
        row.origin = known.origin;
      }
    }
    rows_.push_back(row);
  }
  say_hello(nonce);
}

void Replica::end_meeting() noexcept {
  meeting_ = false;
  held_.clear();
  hellos_.clear();
}

void Replica::on_hello(MemberId from, const Header& header, std::span<const std::byte> body,
                       TimeNs now) noexcept {
  BufferReader in(body);
  const auto flags = in.take<std::uint8_t>();
  const Key key{in.take<std::uint64_t>(), in.take<std::uint64_t>(), in.take<std::uint64_t>()};
  Origins origins;
  const bool has_state = (flags & kHasState) != 0;
  if (!in.good() || (has_state && !origins.read(in)) || !in.done()) {
    ++counters_.rejected;
    return;
  }
  Row* row = row_of(from);
  if (row == nullptr || (!meeting_ && !current_)) return;
  if (meeting_ ? !row->late && header.number != nonce_ : row->live && header.number != 0) return;
  if (meeting_ && row->hello && !row->late) return;  // It has said so; hellos take memory.
  row->origin = header.origin;
  row->hello = true;
  row->has_state = has_state;
  row->key = key;
  row->shared = false;
  row->pristine = (flags & kPristine) != 0;
  if (meeting_) {
    row->hello_at = hellos_.size();
    PHX_CHECK(hellos_.append(body.data(), body.size()));
    row->hello_bytes = body.size();
    return decide_if_complete(false, now);
  }
  // Rule: a live one that says hello outside a meeting has lost its way, a taker its transfer.
  row->live = false;
  if (row->taking) end_taking(from);
  direct(now);
}

void Replica::decide_if_complete(bool close, TimeNs now) noexcept {
  for (const Row& row : rows_) {
    if (row.here && !row.hello && !close) return;
  }
  decide(now);
}

/// How many other sides have lost operations from their history that this one lacks.
std::size_t Replica::not_covered_by(const Row& side) noexcept {
  const auto read = [&](const Row& row, Origins& out) {
    BufferReader in(hellos_.bytes().subspan(row.hello_at, row.hello_bytes).subspan(25));
    PHX_CHECK(out.read(in));
  };
  Origins mine;
  read(side, mine);
  std::size_t count = 0;
  for (const Row& other : rows_) {
    if (!other.here || !other.hello || !other.has_state || other.key == side.key) continue;
    Origins theirs;
    read(other, theirs);
    count += std::any_of(theirs.entries().begin(), theirs.entries().end(),
                         [&](const Origins::Entry& entry) {
                           return entry.floor > mine.number(entry.origin);
                         })
                 ? 1
                 : 0;
  }
  return count;
}

/// Rule: the side goes on that can take in all others; of those the one that was live in the
/// latest quorate view, then the largest, the busiest, and any that all choose alike.
const Replica::Row* Replica::winner() noexcept {
  struct Rank {
    std::size_t covered = 0;
    std::uint64_t quorum = 0;
    std::size_t members = 0;
    std::uint64_t operations = 0;
    std::uint64_t digest = 0;
    auto operator<=>(const Rank&) const = default;
  };
  const Row* best = nullptr;
  Rank best_rank;
  for (const Row& row : rows_) {
    if (!row.here || !row.hello || !row.has_state) continue;
    if (best != nullptr && best->key == row.key) continue;
    const auto same = std::count_if(rows_.begin(), rows_.end(), [&](const Row& other) {
      return other.here && other.hello && other.has_state && other.key == row.key;
    });
    const Rank rank{.covered = rows_.size() - not_covered_by(row),
                    .quorum = row.key.quorum,
                    .members = static_cast<std::size_t>(same),
                    .operations = row.key.operations,
                    .digest = row.key.digest};
    if (best != nullptr && !(best_rank < rank)) continue;
    best = &row;
    best_rank = rank;
  }
  return best;
}

/// Rule: a state is founded by those who were never anything else, when everyone was heard; who
/// was something else is only then among them when there is nobody else.
bool Replica::found() noexcept {
  if (options_.write_quorum && !quorate_) return false;
  bool pristine = false;
  for (const Row& row : rows_) {
    if (row.here && !row.hello) return false;
    pristine = pristine || (row.here && row.pristine);
  }
  for (Row& row : rows_) row.live = row.here && (row.pristine || !pristine);
  return true;
}

void Replica::decide(TimeNs now) noexcept {
  const Row* best = winner();
  bool rivals = false;
  no_quorum_ = false;
  if (best != nullptr) {
    const Key key = best->key;
    for (Row& row : rows_) {
      row.live = row.here && row.hello && row.has_state && row.key == key;
      rivals = rivals || (row.hello && row.has_state && !row.live);
    }
  } else if (!found()) {
    no_quorum_ = options_.write_quorum && !quorate_;
    end_meeting();
    become_outsider(now);
    if (no_quorum_) notice(Event::NoQuorum);
    return;
  } else if (row_of(self_)->live) {
    key_ = {};
    origins_.clear();
    history_.clear();
    has_state_ = true;
    if (!pristine_ && !host_.restore(host_.context, {}, options_.version, true)) {
      ++counters_.transfer_faults;
      has_state_ = false;
      end_meeting();
      become_outsider(now);
      return say_hello(0);
    }
  }
  if (!row_of(self_)->live) {
    end_meeting();
    return become_outsider(now);
  }
  if (rivals) notice(Event::Merging);
  go_live(now);
}

void Replica::go_live(TimeNs now) noexcept {
  const bool was_live = live_;
  meeting_ = false;
  hellos_.clear();
  current_ = live_ = true;
  for (Row& row : rows_) row.here = row.late = false;
  for (const Row& row : rows_) {
    if (row.live) (void)origins_.at(row.origin);
  }
  prune_origins();
  if (!transitional_) settle();
  if (!was_live) send_operations_again();
  apply_held();
  // What was held in an old view's last part is judged by the view that is now.
  if (!transitional_) settle();
  pristine_ = false;
  if (!was_live) notice(Event::Live);
  direct(now);
}

}  // namespace phalanx::replica
