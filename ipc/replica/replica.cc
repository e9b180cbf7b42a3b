#include "ipc/replica/replica.h"

#include <algorithm>

#include "ipc/base/assert.h"

namespace phalanx::replica {

Replica::Replica(const Options& options, const Host& host) noexcept
    : options_(options),
      host_(host),
      history_(options.history_bytes_max),
      pending_(options.pending_bytes_max) {}

std::size_t Replica::operation_bytes_max() const noexcept {
  return options_.message_bytes_max - kHeaderBytes - History::kEntryBytes - 8;
}

bool Replica::submit(std::span<const std::byte> operation, std::uint64_t ticket) noexcept {
  return operation.size() <= operation_bytes_max() && pending_.push(operation, ticket);
}

void Replica::notice(Event event, Fault fault, MemberId who, std::uint64_t count) noexcept {
  if (host_.notice == nullptr) return;
  const Notice notice{.event = event, .fault = fault, .who = who, .count = count};
  host_.notice(host_.context, notice);
}

Replica::Row* Replica::row_of(MemberId id) noexcept {
  const auto at = std::lower_bound(rows_.begin(), rows_.end(), id,
                                   [](const Row& row, MemberId value) { return row.id < value; });
  return at != rows_.end() && at->id == id ? at : nullptr;
}

bool Replica::is_member(MemberId id) const noexcept {
  return std::find(members_.begin(), members_.end(), id) != members_.end();
}

void Replica::say(Kind kind, std::uint64_t number, std::span<const std::byte> body) noexcept {
  const std::size_t bytes = kHeaderBytes + body.size();
  std::byte* out = outbox_.extend(8 + round_up<std::size_t>(bytes, 8));
  PHX_CHECK(out != nullptr);
  store_le<std::uint64_t>(out, bytes);
  encode({.kind = kind, .origin = options_.origin, .number = number}, out + 8);
  if (!body.empty()) std::memcpy(out + 8 + kHeaderBytes, body.data(), body.size());
}

void Replica::say_fault(Kind kind, std::uint64_t number, Fault fault) noexcept {
  const std::byte body[1] = {static_cast<std::byte>(fault)};
  say(kind, number, body);
}

void Replica::pump() noexcept {
  if (!member_) return;
  while (!outbox_.empty()) {
    const auto bytes = static_cast<std::size_t>(load_le<std::uint64_t>(outbox_.data()));
    const iovec part{.iov_base = outbox_.data() + 8, .iov_len = bytes};
    if (!host_.send(host_.context, &part, 1)) return;
    outbox_.consume(8 + round_up<std::size_t>(bytes, 8));
  }
  if (giving_) pump_chunks();
  if (sharing_) pump_share();
  // Rule: only a live replica's operations are taken, and who wins a meeting is not known yet.
  while (live()) {
    const std::size_t most = std::min(options_.batch_bytes_max, options_.message_bytes_max - 64);
    const Pending::Batch batch = pending_.next(most);
    if (batch.count == 0) return;
    std::byte header[kHeaderBytes];
    encode(
        {.kind = Kind::Operations, .origin = options_.origin, .number = pending_.unsent_number()},
        header);
    const iovec parts[2] = {
        {.iov_base = header, .iov_len = sizeof header},
        {.iov_base = const_cast<std::byte*>(batch.bytes.data()), .iov_len = batch.bytes.size()}};
    if (!host_.send(host_.context, parts, 2)) return;
    pending_.sent(batch);
  }
}

void Replica::on_node_view(std::uint64_t sequence, bool quorate, TimeNs now) noexcept {
  if (taking_) {
    log_view(Logged::NodeView, sequence, quorate);
    return;
  }
  apply_node_view(sequence, quorate);
  // Rule: what asks for quorum to be founded is tried again where there is one.
  if (member_ && no_quorum_ && quorate && !meeting_) {
    outside_since_ = now;
    say(Kind::Meet, options_.origin ^ sequence);
  }
}

void Replica::apply_node_view(std::uint64_t sequence, bool quorate) noexcept {
  view_ = sequence;
  quorate_ = quorate;
  transitional_ = false;
  unsettled_ = true;
  // Something has to be delivered in the view before answers of the old one can go.
  if (live_ && !replaying_ && !held_answers_.empty()) say(Kind::Mark, 0);
}

void Replica::on_transitional(TimeNs now) noexcept {
  (void)now;
  if (taking_) {
    log_view(Logged::Transitional, 0, false);
  } else {
    transitional_ = true;
  }
}

/// The first delivery of a view in which nobody has to be met: all that this side took before is
/// what the view has. With quorum, nobody else can have gone on without it.
void Replica::settle() noexcept {
  unsettled_ = false;
  if (quorate_) {
    key_.quorum = view_;
    history_.settle();
  }
  pass_held_answers(quorate_ || !options_.write_quorum ? Outcome::Done : Outcome::InDoubt);
}

void Replica::on_group_view(MemberId self, std::span<const MemberId> members,
                            std::span<const MemberId> left, std::span<const Joined> joined,
                            TimeNs now) noexcept {
  self_ = self;
  members_.assign(members);
  std::sort(members_.begin(), members_.end());
  if (!is_member(self)) return on_disconnected(now);
  bool with_node = false;
  bool new_here = !member_;
  for (const Joined& who : joined) {
    with_node = with_node || who.with_node;
    new_here = new_here || who.id == self;
  }
  if (new_here) {
    if (member_) on_disconnected(now);
    member_ = true;
    become_outsider(now);
    // Rule: who is alone knows all there is to know; others may be live, and are asked.
    if (members_.size() == 1) return start_meeting(options_.origin, now);
    return say_hello(0);
  }
  const auto gone = [&](MemberId id) {
    return std::find(left.begin(), left.end(), id) != left.end();
  };
  // A node that restarted is in both lists: what is not there any more is not heard of again.
  if (taking_ && gone(partner_)) stop_taking(now);
  if (taking_) {
    for (const MemberId id : left) log(Logged::Left, id, {});
    for (const Joined& who : joined) log(Logged::Joined, who.id, {});
  } else {
    for (const MemberId id : left) forget_member(id);
  }
  if (with_node) {
    if (taking_) stop_taking(now);  // First: it makes good which view this is.
    return start_meeting(view_, now);
  }
  if (taking_) return;
  for (const Joined& who : joined) {
    if ((current_ || meeting_) && row_of(who.id) == nullptr) {
      Row* at = std::lower_bound(rows_.begin(), rows_.end(), who.id,
                                 [](const Row& row, MemberId value) { return row.id < value; });
      rows_.insert(at, {.id = who.id, .late = meeting_});
    }
  }
  if (meeting_) return decide_if_complete(false, now);
  direct(now);
}

void Replica::on_message(MemberId from, std::span<const std::byte> message, TimeNs now) noexcept {
  if (!member_) return;
  handle(from, message, now);
}

void Replica::handle(MemberId from, std::span<const std::byte> message, TimeNs now) noexcept {
  if (current_ && unsettled_ && !meeting_ && !taking_) settle();
  Header header;
  if ((!replaying_ && !is_member(from)) || !decode(message, header)) {
    ++counters_.rejected;
    return;
  }
  dispatch(from, header, message.subspan(kHeaderBytes), message, now);
}

void Replica::dispatch(MemberId from, const Header& header, std::span<const std::byte> body,
                       std::span<const std::byte> message, TimeNs now) noexcept {
  if (taking_) {  // What is not for the transfer itself is looked at when the state is there.
    const bool own = from == partner_ && header.number == transfer_;
    if (header.kind == Kind::Chunk && own) return on_chunk(from, header, body, now);
    if (header.kind == Kind::End && own) return on_end(from, header, body, now);
    if (header.kind == Kind::Abort && own) {
      notice(Event::GiverFailed, body.empty() ? Fault::None : static_cast<Fault>(body[0]), from);
      return stop_taking(now);
    }
    if (header.kind == Kind::Chunk) return;
    if (header.kind == Kind::Drop &&
        header.number == (std::uint64_t{self_.node} << 32 | self_.client))
      return on_drop(self_, now);
    if (header.kind != Kind::Meet) return log(Logged::Message, from, message);
  }
  switch (header.kind) {
    case Kind::Operations:
      if (meeting_ && has_state_) return hold(from, message);
      return on_operations(from, header, body, {quorate_, transitional_});
    case Kind::Hello:
      return on_hello(from, header, body, now);
    case Kind::Meet:
      // Also when one runs: who joined since is not in that one, and would meet alone.
      return start_meeting(header.number, now);
    case Kind::Close:
      if (meeting_ && header.number == nonce_) decide_if_complete(true, now);
      return;
    case Kind::Ask:
      return on_ask(header, body, now);
    case Kind::Share:
      return on_share(from, body, now);
    case Kind::Shared:
      return on_shared(from, header, body, now);
    case Kind::Give:
      return on_give(header, body, now);
    case Kind::Chunk:
      return on_chunk(from, header, body, now);
    case Kind::End:
      return on_end(from, header, body, now);
    case Kind::Abort:
      return on_abort(from, header, body, now);
    case Kind::Ready:
      return on_ready(from, header, body, now);
    case Kind::Nack:
      return on_nack(from, header, body, now);
    case Kind::Drop:
      return on_drop({static_cast<std::uint32_t>(header.number >> 32),
                      static_cast<std::uint32_t>(header.number)},
                     now);
    case Kind::Mark:
      return;
  }
}

/// The state stays as it is, for others to take in what it has, until another one comes.
void Replica::become_outsider(TimeNs now) noexcept {
  const bool was_live = live_;
  live_ = current_ = false;
  end_activity();
  outside_since_ = now;
  pass_held_answers(Outcome::InDoubt);
  if (was_live) notice(Event::Behind);
}

void Replica::on_disconnected(TimeNs now) noexcept {
  if (!member_) return;
  end_meeting();
  if (taking_) stop_taking(now);
  member_ = false;
  become_outsider(now);
  rows_.clear();
  outbox_.clear();
  doubtful_below_ = std::max(doubtful_below_, pending_.unsent_number());
  transitional_ = false;
  no_quorum_ = false;
}

void Replica::on_time(TimeNs now) noexcept {
  if (!member_ || now < wake_at()) return;
  if (meeting_) {
    close_said_ = true;
    say(Kind::Close, nonce_);
  } else if (taking_) {
    fail_taking(Fault::Silent, now);
  } else if (!current_) {
    outside_since_ = now;
    say(Kind::Meet, options_.origin ^ (now | 1));
  } else if (activity_ != Activity::None) {
    active_at_ = now;
    MemberId slow = partner_;
    for (const Row& row : rows_) {
      if (activity_ == Activity::Giving && row.taking) slow = row.id;
    }
    say(Kind::Drop, std::uint64_t{slow.node} << 32 | slow.client);
  } else {
    retry_at_ = kNever;
    direct(now);
  }
}

TimeNs Replica::wake_at() const noexcept {
  if (!member_) return kNever;
  if (meeting_) return close_said_ ? kNever : met_at_ + options_.meeting_time;
  if (taking_) return heard_at_ + options_.transfer_time;
  if (!current_) {
    return outside_since_ + (no_quorum_ ? 10 * options_.retry_time : options_.transfer_time);
  }
  if (!live_ || director() == nullptr || director()->id != self_) return kNever;
  if (activity_ != Activity::None) return active_at_ + 2 * options_.transfer_time;
  return retry_at_;
}

}  // namespace phalanx::replica
