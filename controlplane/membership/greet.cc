#include <algorithm>

#include "controlplane/membership/machine.h"

namespace phalanx::membership {
namespace {

/// Between two hellos to the same node, but for news that cannot wait.
constexpr TimeNs kGreetGap = 2 * kMillisecond;
/// A view that is as it should be greets this many times slower.
constexpr TimeNs kCalm = 5;

}  // namespace

void Machine::on_hello(std::size_t from, const wire::Hello& hello, TimeNs now) {
  Peer& peer = peers_[from];
  const std::uint64_t sequence = std::max(hello.sequence_seen, hello.view.sequence);
  if (sequence > kSequenceMax) return;
  peer.hello = hello;
  peer.hello_at = now;
  peer.row = 0;
  for (const Member& member : hello.heard) {
    const auto index = index_of(member.node);
    if (index && peers_[*index].boot == member.boot) peer.row |= only(*index);
  }
  if (hello.config_hash != config_.config_hash) {
    reject(config_.nodes[from], Rejection::Reason::ConfigHash, config_.config_hash,
           hello.config_hash);
    return;
  }
  unreject(config_.nodes[from], Rejection::Reason::ConfigHash);
  raise_sequence(sequence);
  // Rule: who would go over to a key knows that all configured nodes hold it. Who holds it as well
  // goes along: so nobody has to be told who was away.
  if (config_.key_id_next != 0 && hello.key_id_highest == config_.key_id_next) {
    offer_key(hello.key_id_highest);
  }
  if (hello.key_id_highest < key_id_least()) {
    reject(config_.nodes[from], Rejection::Reason::KeyId, key_id_least(), hello.key_id_highest);
  } else {
    unreject(config_.nodes[from], Rejection::Reason::KeyId);
  }

  const bool astray = hello.attempt_running || hello.view != durable_.view;
  if (!astray || !contains(view_set_, from)) {
    peer.astray_since = 0;
  } else if (peer.astray_since == 0) {
    peer.astray_since = std::max<TimeNs>(now, 1);
  }
  // Rule: a member that names the attempt as its view has installed it, so all were done.
  Attempt& attempt = durable_.attempt;
  if (!hello.view.is_none() && hello.view == attempt.id() && rank_of(from)) {
    attempt.all_done = true;
    if (hello.view != durable_.view) install_when_all_are_done();
  }
  // Rule: an attempt that its representative gave up has failed. It says that it runs from its
  // first PREPARE on, and its sequence is above all that were seen before.
  const bool over = hello.view.sequence > attempt.id().sequence ||
                    (!hello.attempt_running && hello.sequence_seen >= attempt.id().sequence);
  if (attempt.running && !attempt.installing && over && hello.view != attempt.id() &&
      config_.nodes[from] == attempt.id().representative) {
    fail_attempt(now + back_off());
  }
  // Rule: a hello earns an answer, from those whom its sender does not hear yet.
  if (!std::binary_search(hello.heard.begin(), hello.heard.end(), config_.self)) answer(from);
}

bool Machine::brisk() const noexcept {
  if (!lanes_running() || durable_.attempt.running || durable_.leaving) return true;
  const NodeSet others = view_set_ & ~only(self_);
  return suspected_ != 0 || heard_ != others;
}

wire::Hello Machine::hello() const {
  wire::Hello hello;
  hello.view = durable_.view;
  hello.view_members = static_cast<std::uint8_t>(durable_.members.size());
  hello.sequence_seen = durable_.sequence_seen;
  hello.config_hash = config_.config_hash;
  hello.key_id_highest = config_.key_id_highest;
  hello.leaving = durable_.leaving;
  // A node that is frozen in its view is in the middle of a change even between two attempts.
  hello.attempt_running = durable_.attempt.running || (durable_.frozen && !durable_.view.is_none());
  hello.heard = members_of(heard_);
  return hello;
}

void Machine::greet(TimeNs now) {
  const TimeNs periodic_at = greeted_at_ + (brisk() ? 1 : kCalm) * config_.hello_interval;
  const bool lost_somebody = (told_heard_ & ~heard_) != 0;
  const bool found_somebody = (heard_ & ~told_heard_) != 0;
  const bool due = greet_now_ || lost_somebody || now >= periodic_at ||
                   (found_somebody && now >= greeted_at_ + kGreetGap);
  if (configured_ == only(self_)) return;
  if (due) {
    Send& send = actions_.sends.emplace_back();
    wire::encode(hello(), send.bytes);
    greeted_at_ = now;
    told_heard_ = heard_;
    for (Peer& peer : peers_) peer.greeted_at = std::max<TimeNs>(now, 1);
    wake(now + (brisk() ? 1 : kCalm) * config_.hello_interval);
  } else {
    for (NodeSet rest = answers_; rest != 0; rest &= rest - 1) {
      Peer& peer = peers_[lowest(rest)];
      if (peer.greeted_at != 0 && now < peer.greeted_at + kGreetGap) continue;
      send_to(lowest(rest), wire::MessageKind::Hello, hello());
      peer.greeted_at = std::max<TimeNs>(now, 1);
    }
    wake(found_somebody ? greeted_at_ + kGreetGap : periodic_at);
  }
  greet_now_ = false;
  answers_ = 0;
}

}  // namespace phalanx::membership
