#include "controlplane/membership/machine.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::membership {
namespace {

constexpr std::uint64_t kReserveBlock = std::uint64_t{1} << 20;

std::size_t self_index(const MembershipConfig& config) {
  PHX_CHECK(!config.nodes.empty() && config.nodes.size() <= kNodesMax);
  PHX_CHECK(std::is_sorted(config.nodes.begin(), config.nodes.end()));
  const auto at = std::find(config.nodes.begin(), config.nodes.end(), config.self.node);
  PHX_CHECK(at != config.nodes.end() && !config.self.boot.is_none());
  return static_cast<std::size_t>(at - config.nodes.begin());
}

}  // namespace

bool Peer::is_buried(const BootId& id) const noexcept {
  return std::any_of(buried.begin(), buried.end(), [&](const Buried& b) { return b.boot == id; });
}

bool Peer::is_proven_dead(const BootId& id) const noexcept {
  return std::any_of(buried.begin(), buried.end(),
                     [&](const Buried& b) { return b.boot == id && b.proven; });
}

void Peer::bury(const BootId& id, bool proven) noexcept {
  if (id.is_none()) return;
  for (Buried& known : buried) {
    if (known.boot != id) continue;
    known.proven = known.proven || proven;
    return;
  }
  buried[buried_next++ % kBuriedMax] = {id, proven};
}

void Peer::unbury(const BootId& id) noexcept {
  for (Buried& known : buried) {
    if (known.boot == id) known = {};
  }
}

Machine::Machine(const MembershipConfig& config, std::uint64_t sequence_reserved)
    : config_(config),
      self_(self_index(config)),
      configured_(~NodeSet{0} >> (kNodesMax - config.nodes.size())),
      reserved_(sequence_reserved),
      detector_({config.dead_after, config.stall_after}) {
  PHX_CHECK(config.lanes > 0 && config.lanes <= kLanesMax);
  durable_.self = config.self;
  durable_.sequence_seen = sequence_reserved;  // Rule: all up to it may have been used.
  for (Peer& peer : peers_) peer.hold = config.hold_min;
  peers_[self_].boot = config.self.boot;
}

Actions Machine::start(TimeNs now) {
  begin(now);
  greet_now_ = true;
  return step(now);
}

std::optional<Actions> Machine::restore(std::span<const std::byte> snapshot, TimeNs now) {
  auto decoded = decode_snapshot(snapshot);
  if (!decoded || decoded->durable.self != config_.self) return std::nullopt;
  Durable& old = decoded->durable;
  for (const auto* list : {&old.members, &old.attempt.prepare.members}) {
    for (const Member& member : *list) {
      if (!index_of(member.node)) return std::nullopt;  // Another configuration: start over.
    }
  }
  begin(now);
  old.sequence_seen = std::max(old.sequence_seen, durable_.sequence_seen);
  durable_ = std::move(old);
  snapshots_ = decoded->count;
  offer_key(durable_.view_key_id);
  const auto know = [&](const std::vector<Member>& members, NodeSet& set) {
    for (const Member& member : members) {
      const std::size_t index = *index_of(member.node);
      set |= only(index);
      peers_[index].boot = member.boot;
      detector_.watch(index, now, /*new_incarnation=*/false);
    }
  };
  know(durable_.members, view_set_);
  for (const Member& member : durable_.members) view_boots_[*index_of(member.node)] = member.boot;
  know(durable_.attempt.prepare.members, attempt_set_);

  // Whatever was asked of the data plane may not have reached it: ask again.
  Attempt& attempt = durable_.attempt;
  if (attempt.installing) {
    actions_.install = attempt.plan;
  } else if (attempt.plan) {
    if (!attempt.recovered) actions_.recover = attempt.plan;
  } else if (attempt.running) {
    if (leads()) fail_attempt(now);  // The reports died with the old control plane.
    actions_.freeze = attempt.running;
  }
  if (attempt.running) {
    deadline_ = now + config_.stall_after;
    resend_at_ = now;
    resend_after_ = kMillisecond;
  }
  greet_now_ = true;
  return step(now);
}

Actions Machine::on_message(Member from, wire::MessageKind kind, std::span<const std::byte> bytes,
                            TimeNs now) {
  begin(now);
  if (!admit(from, kind, now)) return step(now);
  const std::size_t index = *index_of(from.node);
  switch (kind) {
    case wire::MessageKind::Hello:
      if (const auto m = wire::decode_hello(bytes)) on_hello(index, *m, now);
      break;
    case wire::MessageKind::Prepare:
      if (const auto m = wire::decode_prepare(bytes)) on_prepare(index, *m, now);
      break;
    case wire::MessageKind::Refusal:
      if (const auto m = wire::decode_refusal(bytes)) on_refusal(index, *m, now);
      break;
    case wire::MessageKind::Report:
      if (const auto m = wire::decode_report(bytes)) on_report(index, *m, now);
      break;
    case wire::MessageKind::Plan:
      if (const auto m = wire::decode_plan(bytes)) on_plan(index, *m, now);
      break;
    case wire::MessageKind::Done:
      if (const auto m = wire::decode_done(bytes)) on_done(index, *m);
      break;
  }
  return step(now);
}

Actions Machine::on_dead(Member peer, TimeNs now) {
  begin(now);
  const auto index = index_of(peer.node);
  if (index && *index != self_) peers_[*index].bury(peer.boot, /*proven=*/true);
  return step(now);
}

Actions Machine::on_cut_off(Member peer, TimeNs now) {
  begin(now);
  const auto index = index_of(peer.node);
  if (index && *index != self_ && peers_[*index].boot == peer.boot) {
    peers_[*index].cut_off_at = std::max<TimeNs>(now, 1);
  }
  return step(now);
}

Actions Machine::on_own_link(bool up, TimeNs now) {
  begin(now);
  peers_[self_].cut_off_at = up ? 0 : std::max<TimeNs>(now, 1);
  greet_now_ = true;
  return step(now);
}

// Vouches and rows come often and only ever put a verdict off: on_time() will see them, no later
// than the wake-up that stands.

Actions Machine::on_vouch(NodeId peer, TimeNs now) {
  notice_own_pause(now);
  if (const auto index = index_of(peer)) {
    detector_.on_vouch(*index, now);
    if (*index != self_) peers_[*index].cut_off_at = 0;  // Only a node whose link is up vouches.
  }
  return {.wake_at = wake_at_};
}

Actions Machine::on_seen(std::span<const PeerSeen> peers, TimeNs now) {
  notice_own_pause(now);
  for (const PeerSeen& seen : peers) {
    const auto index = index_of(seen.node);
    if (!index) continue;
    if (*index == self_) {
      // Rule: a worker that was descheduled itself accuses nobody.
      if (seen.distrusts_itself) detector_.distrust_self(now);
    } else if (contains(view_set_, *index)) {
      detector_.on_rows(*index, std::min(seen.heard, now), std::min(seen.progressed, now), now);
    }
  }
  return {.wake_at = wake_at_};
}

Actions Machine::on_time(TimeNs now) {
  begin(now);
  return step(now);
}

Actions Machine::renew(TimeNs now) {
  begin(now);
  renewal_wanted_ = true;
  return step(now);
}

Actions Machine::retime(const Times& times, TimeNs now) {
  PHX_CHECK(times.sound());
  begin(now);
  // The others spoke as often as the longer time demanded: a word that was due later is not late.
  if (times.dead_after < config_.dead_after) detector_.distrust_self(now);
  config_.dead_after = times.dead_after;
  config_.stall_after = times.stall_after;
  config_.hold_min = times.hold_min;
  config_.hold_max = times.hold_max;
  config_.attempt_deadline = attempt_deadline_for(times.dead_after);
  detector_.set_limits({times.dead_after, times.stall_after});
  for (Peer& peer : peers_) peer.hold = std::clamp(peer.hold, times.hold_min, times.hold_max);
  return step(now);
}

Actions Machine::rekey(const KeyIds& keys, TimeNs now) {
  PHX_CHECK(keys.sound());
  begin(now);
  config_.key_id_lowest = keys.lowest;
  config_.key_id_next = keys.next;
  offer_key(keys.highest);
  return step(now);
}

/// Rule: what a node once offered it offers for ever; others may have counted on it.
void Machine::offer_key(std::uint32_t id) noexcept {
  if (id <= config_.key_id_highest) return;
  config_.key_id_highest = id;
  greet_now_ = true;
}

/// Rule: a view never goes back to an older key, and nobody to one that it has given away.
std::uint32_t Machine::key_id_least() const noexcept {
  return std::max(durable_.view_key_id, config_.key_id_lowest);
}

Actions Machine::leave(TimeNs now) {
  begin(now);
  durable_.leaving = true;
  if (durable_.attempt.running && leads() && !durable_.attempt.installing) fail_attempt(now);
  greet_now_ = true;
  return step(now);
}

State Machine::state() const noexcept {
  if (durable_.attempt.running) return durable_.attempt.plan ? State::Recover : State::Prepare;
  return lanes_running() ? State::Operational : State::Gather;
}

bool Machine::left() const noexcept {
  if (!durable_.leaving) return false;
  for (NodeSet rest = view_set_ & heard_; rest != 0; rest &= rest - 1) {
    if (follows(lowest(rest))) return false;
  }
  return true;
}

std::vector<std::byte> Machine::snapshot() { return encode_snapshot(durable_, ++snapshots_); }

void Machine::notice_own_pause(TimeNs now) {
  // Rule (self-distrust): a control plane that wakes half a limit late was paused itself; its peers
  // may have spoken meanwhile, and what they said is still on its way through the queues.
  if (wake_at_ != kNever && now > wake_at_ + config_.dead_after / 2) detector_.distrust_self(now);
}

void Machine::begin(TimeNs now) {
  notice_own_pause(now);
  wake_at_ = kNever;
}

Actions Machine::step(TimeNs now) {
  update_heard(now);
  check_attempt(now);
  gather(now);
  resend(now);
  greet(now);
  if (actions_.reserve_sequence) reserved_ = *actions_.reserve_sequence;
  actions_.wake_at = wake_at_;
  return std::exchange(actions_, Actions{});
}

void Machine::wake(TimeNs at) noexcept { wake_at_ = std::min(wake_at_, at); }

void Machine::raise_sequence(std::uint64_t sequence) {
  durable_.sequence_seen = std::max(durable_.sequence_seen, sequence);
  // Rule: whatever was seen is on disk before it is answered, in blocks so that this is rare.
  if (durable_.sequence_seen > actions_.reserve_sequence.value_or(reserved_)) {
    actions_.reserve_sequence = durable_.sequence_seen + kReserveBlock;
  }
}

std::optional<std::size_t> Machine::index_of(NodeId node) const noexcept {
  const auto at = std::lower_bound(config_.nodes.begin(), config_.nodes.end(), node);
  if (at == config_.nodes.end() || *at != node) return std::nullopt;
  return static_cast<std::size_t>(at - config_.nodes.begin());
}

TimeNs Machine::forgotten_at(const Peer& peer) const noexcept {
  // Strangers are heard by their hellos alone; the slowest send one in five intervals.
  return peer.hello_at + std::max(2 * config_.dead_after, 10 * config_.hello_interval);
}

bool Machine::admit(Member from, wire::MessageKind kind, TimeNs now) {
  const auto index = index_of(from.node);
  if (!index || *index == self_ || from.boot.is_none()) return false;
  Peer& peer = peers_[*index];
  if (peer.is_proven_dead(from.boot)) return false;  // Rule: nothing from the dead.
  if (peer.boot != from.boot) {
    if (kind != wire::MessageKind::Hello) return false;  // Rule: strangers say hello first.
    // Rule: a new boot id proves the old one dead. A late frame of an earlier life may look like a
    // new one, so the one that was buried without proof is believed again if its successor falls
    // silent.
    if (peer.is_buried(from.boot) && now < forgotten_at(peer)) return false;
    adopt(*index, from.boot, now);
  }
  // What comes now was under way when the link went down; what comes later proves that it is up.
  if (now >= peer.cut_off_at + config_.dead_after) peer.cut_off_at = 0;
  peer.control_at = now;
  peer.absent = false;
  detector_.on_control(*index, now);
  return true;
}

void Machine::adopt(std::size_t index, const BootId& boot, TimeNs now) {
  Peer& peer = peers_[index];
  peer.bury(peer.boot, /*proven=*/false);
  peer.unbury(boot);
  peer.boot = boot;
  peer.hello.reset();
  peer.row = 0;
  peer.cut_off_at = 0;
  peer.greeted_at = 0;
  peer.linked_since = 0;
  peer.astray_since = 0;
  peer.unanswered = 0;
  peer.mute = false;
  detector_.watch(index, now, /*new_incarnation=*/true);
  // Which incarnation the others' rows mean is known only now.
  const Member member{config_.nodes[index], boot};
  for (Peer& other : peers_) {
    if (!other.hello) continue;
    const auto& heard = other.hello->heard;
    const bool hears = std::binary_search(heard.begin(), heard.end(), member);
    other.row = hears ? other.row | only(index) : other.row & ~only(index);
  }
}

void Machine::reject(NodeId node, Rejection::Reason reason, std::uint64_t mine,
                     std::uint64_t theirs) {
  const Rejection rejection{node, reason, mine, theirs};
  const auto at = std::find_if(rejections_.begin(), rejections_.end(),
                               [node](const Rejection& r) { return r.node >= node; });
  if (at != rejections_.end() && at->node == node) {
    *at = rejection;
  } else {
    rejections_.insert(at, rejection);
  }
}

void Machine::unreject(NodeId node, Rejection::Reason reason) {
  std::erase_if(rejections_,
                [&](const Rejection& r) { return r.node == node && r.reason == reason; });
}

bool Machine::lanes_running() const noexcept {
  return !durable_.view.is_none() && !durable_.frozen;
}

std::vector<Member> Machine::members_of(NodeSet set) const {
  std::vector<Member> members;
  for (; set != 0; set &= set - 1) {
    members.push_back({config_.nodes[lowest(set)], peers_[lowest(set)].boot});
  }
  return members;
}

}  // namespace phalanx::membership
