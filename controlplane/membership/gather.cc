#include <algorithm>

#include "controlplane/membership/machine.h"

namespace phalanx::membership {
namespace {

/// A control plane that stays away longer while a view change waits for it is left out.
constexpr TimeNs kAbsentAfter = kSecond;

}  // namespace

bool Machine::follows(std::size_t index) const noexcept {
  if (!contains(view_set_, index)) return false;
  const Peer& peer = peers_[index];
  // Rules: a member is (node, boot id); one that installed a later view is in ours no more.
  return view_boots_[index] == peer.boot && !peer.is_buried(peer.boot) &&
         !(peer.hello && peer.hello->view.sequence > durable_.view.sequence);
}

bool Machine::hears(std::size_t index, TimeNs now) {
  Peer& peer = peers_[index];
  if (peer.boot.is_none() || peer.is_buried(peer.boot)) return false;  // Rule: proof of death.
  if (peer.cut_off_at != 0) return false;                              // Rule: its own word.
  if (peer.hello && peer.hello->leaving) return false;                 // Rule: orderly leave.
  if (peer.hello && peer.hello->config_hash != config_.config_hash) return false;
  if (follows(index)) {
    // Rule: only while a view change waits for it does a missing control plane cost membership.
    if (pending_since_ != 0) {
      const TimeNs absent_at = std::max(peer.control_at, pending_since_) + kAbsentAfter;
      if (now >= absent_at) peer.absent = true;
      if (!peer.absent) wake(absent_at);
    }
    if (peer.absent || peer.mute) return false;
    const Verdict verdict = detector_.verdict(index, now, lanes_running());
    if (verdict != Verdict::Fine) suspected_ |= only(index);
    wake(detector_.next_verdict_at(index, now, lanes_running()));
    return verdict != Verdict::Convicted;
  }
  if (!peer.hello || now >= forgotten_at(peer)) return false;
  wake(forgotten_at(peer));
  return true;
}

void Machine::update_heard(TimeNs now) {
  listen(now);
  for (NodeSet rest = view_set_ & ~only(self_); rest != 0; rest &= rest - 1) {
    note_loss(lowest(rest), now);
  }
}

void Machine::listen(TimeNs now) {
  heard_ = 0;
  suspected_ = 0;
  // Rules: nobody waits for one that cannot do its own part; who is cut off goes on alone.
  if (peers_[self_].mute || peers_[self_].cut_off_at != 0) return;
  for (NodeSet rest = configured_ & ~only(self_); rest != 0; rest &= rest - 1) {
    if (hears(lowest(rest), now)) heard_ |= only(lowest(rest));
  }
}

HearsMatrix Machine::matrix() const {
  HearsMatrix matrix;
  matrix.hears[self_] = heard_;
  for (NodeSet rest = heard_; rest != 0; rest &= rest - 1) {
    const std::size_t index = lowest(rest);
    const Peer& peer = peers_[index];
    NodeSet& row = matrix.hears[index];
    row = peer.row;
    // Rule: members of a view hear one another until one that has installed it says otherwise. So
    // a death is acted on from what is known, without another round of hellos.
    if (follows(index) && !(peer.hello && peer.hello->view == durable_.view)) row |= view_set_;
  }
  return matrix;
}

NodeSet Machine::core_of(const HearsMatrix& matrix) const {
  NodeSet living = only(self_);
  for (NodeSet rest = view_set_ & heard_; rest != 0; rest &= rest - 1) {
    if (follows(lowest(rest))) living |= only(lowest(rest));
  }
  return clique_of(self_, matrix, living, view_set_);
}

void Machine::update_links(const HearsMatrix& matrix, TimeNs now) {
  for (NodeSet rest = configured_ & ~only(self_); rest != 0; rest &= rest - 1) {
    Peer& peer = peers_[lowest(rest)];
    if (!matrix.linked(self_, lowest(rest))) {
      peer.linked_since = 0;
    } else if (peer.linked_since == 0) {
      peer.linked_since = std::max<TimeNs>(now, 1);
    }
  }
}

NodeSet Machine::split_off(NodeSet joining) const {
  NodeSet split = 0;
  for (NodeSet rest = joining; rest != 0; rest &= rest - 1) {
    const wire::Hello& one = *peers_[lowest(rest)].hello;
    if (one.view.is_none() || one.view == durable_.view) continue;
    int found = 0;
    for (NodeSet others = joining; others != 0; others &= others - 1) {
      if (peers_[lowest(others)].hello->view == one.view) ++found;
    }
    if (found < one.view_members) split |= only(lowest(rest));
  }
  return split;
}

NodeSet Machine::joiners(const HearsMatrix& matrix, NodeSet core, TimeNs now) {
  NodeSet eligible = 0;
  for (NodeSet rest = heard_ & ~core; rest != 0; rest &= rest - 1) {
    const std::size_t index = lowest(rest);
    const Peer& peer = peers_[index];
    bool linked = true;
    for (NodeSet members = core; members != 0; members &= members - 1) {
      linked = linked && matrix.linked(index, lowest(members));
    }
    // Rule: nobody comes in who cannot go along with the key of the view.
    if (!linked || peer.hello->key_id_highest < key_id_least()) continue;
    // Rule: who flaps waits longer, and does not make the others wait with it.
    const TimeNs ripe_at = peer.linked_since + (peer.hold - config_.hold_min);
    if (now >= ripe_at) {
      eligible |= only(index);
    } else {
      wake(ripe_at);
    }
  }
  // Rule: others, too, leave their view only for a superset of its members. Without it nodes that
  // do not all hear one another would take members from each other's views for ever.
  for (;;) {
    const NodeSet joining = clique_of(self_, matrix, core | eligible, core) & ~core;
    const NodeSet split = split_off(joining);
    if (split == 0) return joining;
    eligible &= ~split;
  }
}

bool Machine::knows_all_of(NodeSet set) const {
  for (NodeSet rest = set & ~only(self_); rest != 0; rest &= rest - 1) {
    const auto& hello = peers_[lowest(rest)].hello;
    if (!hello) continue;
    for (const Member& member : hello->heard) {
      const auto index = index_of(member.node);
      if (index && *index != self_ && !contains(heard_, *index) &&
          !peers_[*index].is_buried(member.boot)) {
        return false;
      }
    }
  }
  return true;
}

Machine::Target Machine::urgent_target(NodeSet core, TimeNs now) {
  if (durable_.view.is_none()) return {};
  // Members that I hear well but that do not hear one another: one of them may be dying, and my own
  // verdict is on its way. Who is really cut off from another member is so for longer.
  NodeSet accused = 0;
  TimeNs astray_at = kNever;
  for (NodeSet rest = view_set_ & heard_; rest != 0; rest &= rest - 1) {
    if (!follows(lowest(rest))) continue;
    if (!contains(core, lowest(rest))) accused |= only(lowest(rest));
    const TimeNs astray_since = peers_[lowest(rest)].astray_since;
    if (astray_since != 0) {
      astray_at = std::min(astray_at, astray_since + 2 * config_.attempt_deadline);
    }
  }
  if (accused == 0) accused_since_ = 0;
  if (accused != 0 && accused_since_ == 0) accused_since_ = std::max<TimeNs>(now, 1);

  // Rule: a view is left without a convicted member, at once.
  if (accused != 0) return {core, accused_since_ + config_.dead_after};
  if ((view_set_ & ~core) != 0 || durable_.frozen) return {core, now};
  // Rule: a member that stays frozen, or in another view, cannot go on in this one; nor can we.
  if (astray_at != kNever) return {core, astray_at};
  return {};
}

Machine::Target Machine::join_target(const HearsMatrix& matrix, NodeSet core, TimeNs now) {
  const NodeSet joining = joiners(matrix, core, now);
  const bool viewless = durable_.view.is_none();
  if (joining == 0 && !viewless) {
    joining_ = 0;
    return {};
  }
  const NodeSet set = core | joining;
  if (set != joining_) {
    joining_ = set;
    joining_since_ = now;
  }

  bool nobody_has_a_view = viewless;
  bool attempt_running = false;
  for (NodeSet rest = joining; rest != 0; rest &= rest - 1) {
    const wire::Hello& hello = *peers_[lowest(rest)].hello;
    nobody_has_a_view = nobody_has_a_view && hello.view.is_none();
    attempt_running = attempt_running || hello.attempt_running;
  }
  // Rule: joiners wait for a running attempt, and for the lowest of them to act, but nobody stays
  // without a view for ever.
  if (attempt_running || lowest(set) != self_) {
    if (viewless) return {core, joining_since_ + 10 * config_.hold_min};
    return {};
  }
  // Rule: a superset is taken once it was stable for the hold time. A first view with everybody in
  // it has nothing to wait for; a set that hears somebody I do not hear waits for me to hear it.
  TimeNs hold = config_.hold_min;
  if (nobody_has_a_view && set == configured_ && failures_ == 0) {
    hold = 0;
  } else if (!knows_all_of(set)) {
    hold = 4 * config_.hold_min;
  }
  return {set, joining_since_ + hold};
}

bool Machine::may_go_over_to_next_key() const noexcept {
  if (config_.key_id_highest <= durable_.view_key_id) return false;
  for (NodeSet rest = view_set_ & ~only(self_); rest != 0; rest &= rest - 1) {
    const auto& hello = peers_[lowest(rest)].hello;
    if (!hello || hello->key_id_highest <= durable_.view_key_id) return false;
  }
  return true;
}

void Machine::gather(TimeNs now) {
  const HearsMatrix hears = matrix();
  update_links(hears, now);
  if (durable_.attempt.running) {
    joining_ = 0;
    if (pending_since_ == 0) pending_since_ = std::max<TimeNs>(now, 1);
    return;
  }

  const NodeSet core = core_of(hears);
  Target target = urgent_target(core, now);
  if (target.members == 0 && !durable_.leaving) target = join_target(hears, core, now);

  // Rule: who has something for all to agree on leads a view of the same members, whatever its id;
  // the lowest does when all of them would go over to the next key.
  const bool renew = renewal_wanted_ || (lowest(core) == self_ && may_go_over_to_next_key());
  if (target.members == 0 && renew && lanes_running() && core == view_set_ && !durable_.leaving) {
    return start_attempt(core, now);
  }

  const bool pending = durable_.frozen || (target.members != 0 && now >= target.not_before);
  if (!pending) pending_since_ = 0;
  if (pending && pending_since_ == 0) pending_since_ = std::max<TimeNs>(now, 1);
  // Rule: the lowest of those who go on is the representative; the others wait for it.
  if (target.members == 0 || lowest(target.members) != self_ || durable_.leaving) return;
  const TimeNs start_at = std::max(target.not_before, retry_at_);
  if (now < start_at) {
    wake(start_at);
  } else {
    start_attempt(target.members, now);
  }
}

}  // namespace phalanx::membership
