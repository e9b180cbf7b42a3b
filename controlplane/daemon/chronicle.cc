#include "controlplane/daemon/chronicle.h"

#include <algorithm>

namespace phalanx::controlplane {

using membership::Membership;
using membership::NodeSet;
using membership::State;
using recorder::Kind;

void Chronicle::seen(std::span<const membership::PeerSeen> peers) {
  for (const membership::PeerSeen& peer : peers) {
    const auto at = std::lower_bound(nodes_.begin(), nodes_.end(), peer.node);
    if (at == nodes_.end() || *at != peer.node) continue;
    TimeNs& heard = heard_at_[static_cast<std::size_t>(at - nodes_.begin())];
    heard = std::max(heard, peer.heard);
  }
}

void Chronicle::after(const Membership& membership, const membership::Actions& actions,
                      TimeNs now) {
  compare_hearing(membership, now);
  compare_attempt(membership);
  tell_actions(membership, actions);
  recorder_.keep_time();
}

void Chronicle::compare_hearing(const Membership& membership, TimeNs now) {
  const Membership::Hearing hearing = membership.hearing();
  const NodeSet members = set_of(membership.members());
  const std::uint64_t view = membership.view().sequence;
  for (NodeSet rest = (hearing.heard ^ before_.heard) | (hearing.suspected ^ before_.suspected);
       rest != 0; rest &= rest - 1) {
    const std::size_t index = membership::lowest(rest);
    const NodeId node = nodes_[index];
    const bool heard = membership::contains(hearing.heard, index);
    const bool suspected = membership::contains(hearing.suspected, index);
    if (!heard && membership::contains(before_.heard, index)) {
      const auto rule = static_cast<std::uint64_t>(membership.lost_by(node));
      const bool member = membership::contains(members, index);
      recorder_.note(Kind::Convicted, {.node = node,
                                       .view = view,
                                       .a = rule,
                                       .b = silent_since(index, now),
                                       .c = member ? 1U : 0U});
    } else if (heard && !membership::contains(before_.heard, index)) {
      recorder_.note(Kind::HeardAgain, {.node = node, .view = view});
    } else if (suspected && heard) {
      recorder_.note(Kind::Suspected, {.node = node, .view = view, .a = silent_since(index, now)});
    } else if (heard) {
      recorder_.note(Kind::Trusted, {.node = node, .view = view});
    }
  }
  before_ = hearing;
}

void Chronicle::compare_attempt(const Membership& membership) {
  const ViewId& attempt = membership.attempt();
  const bool running = membership.state() == State::Prepare || membership.state() == State::Recover;
  const NodeSet heard = membership.hearing().heard;
  const NodeSet old = set_of(membership.members());
  if (running_ && (!running || attempt != attempt_) && membership.view() != attempt_) {
    const NodeSet unheard = set_of(membership.attempt_members()) & ~heard & ~bit_of(self_.node);
    recorder_.note(Kind::AttemptFailed, {.node = attempt_.representative,
                                         .view = attempt_.sequence,
                                         .b = attempt == attempt_ ? unheard : 0});
  }
  if (running && attempt != attempt_) {
    const NodeSet members = set_of(membership.attempt_members());
    const bool own = attempt.representative == self_.node;
    recorder_.note(own ? Kind::AttemptStarted : Kind::AttemptPromised,
                   {.node = attempt.representative,
                    .view = attempt.sequence,
                    .a = members,
                    .b = old & ~members,
                    .c = members & ~old});
  }
  running_ = running;
  attempt_ = attempt;
}

void Chronicle::tell_actions(const Membership& membership, const membership::Actions& actions) {
  const ViewId& attempt = membership.attempt();
  const recorder::Recorder::Detail detail{.node = attempt.representative,
                                          .view = attempt.sequence,
                                          .a = set_of(membership.attempt_members())};
  for (const membership::Send& send : actions.sends) {
    if (send.kind == wire::MessageKind::Report && reported_ != attempt) {
      reported_ = attempt;
      recorder_.note(Kind::ReportSent, {.node = detail.node, .view = detail.view});
    }
  }
  if (actions.recover) {
    recorder::Recorder::Detail plan = detail;
    for (const wire::TransitionalSet& set : actions.recover->sets) {
      if (set.old_view == membership.view() && !set.lanes.empty()) plan.b = set.lanes.front().cut;
    }
    recorder_.note(attempt.representative == self_.node ? Kind::PlanMade : Kind::PlanTaken, plan);
  }
  for (const membership::Send& send : actions.sends) {
    if (send.kind == wire::MessageKind::Done && done_ != attempt) {
      done_ = attempt;
      recorder_.note(Kind::DoneSent, {.node = detail.node, .view = detail.view});
    }
  }
  if (actions.install) recorder_.note(Kind::InstallOrdered, detail);
}

void Chronicle::view_changed(const ViewChange& change) {
  recorder_.note(Kind::ViewInstalled, {.node = change.view.representative,
                                       .view = change.view.sequence,
                                       .a = set_of(change.members),
                                       .b = set_of(change.left),
                                       .c = change.took});
  for (const membership::Loss& loss : change.left) {
    recorder_.note(Kind::Left, {.node = loss.member.node,
                                .view = change.view.sequence,
                                .a = static_cast<std::uint64_t>(loss.rule)});
  }
  recorder_.note(Kind::QuorumIs, {.view = change.view.sequence,
                                  .a = change.quorum.quorate ? 1U : 0U,
                                  .b = change.quorum.total,
                                  .c = change.quorum.needed});
}

TimeNs Chronicle::silent_since(std::size_t index, TimeNs now) const noexcept {
  const TimeNs heard = heard_at_[index];
  return heard == 0 || heard > now ? 0 : now - heard;
}

NodeSet Chronicle::bit_of(NodeId node) const {
  const auto at = std::lower_bound(nodes_.begin(), nodes_.end(), node);
  if (at == nodes_.end() || *at != node) return 0;
  return membership::only(static_cast<std::size_t>(at - nodes_.begin()));
}

NodeSet Chronicle::set_of(std::span<const Member> members) const {
  NodeSet set = 0;
  for (const Member& member : members) set |= bit_of(member.node);
  return set;
}

NodeSet Chronicle::set_of(std::span<const membership::Loss> losses) const {
  NodeSet set = 0;
  for (const membership::Loss& loss : losses) set |= bit_of(loss.member.node);
  return set;
}

}  // namespace phalanx::controlplane
