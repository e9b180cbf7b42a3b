#include "controlplane/membership/loss.h"

#include <algorithm>

#include "controlplane/membership/machine.h"

namespace phalanx::membership {

std::string_view to_string(LossRule rule) noexcept {
  switch (rule) {
    case LossRule::None:
      return "none";
    case LossRule::Obituary:
      return "obituary";
    case LossRule::Restarted:
      return "restarted";
    case LossRule::Leave:
      return "leave";
    case LossRule::ItsLink:
      return "its link is down";
    case LossRule::OwnLink:
      return "own link is down";
    case LossRule::OwnWorker:
      return "own worker does not answer";
    case LossRule::Configuration:
      return "other configuration";
    case LossRule::DeadAfter:
      return "dead_after";
    case LossRule::StallAfter:
      return "stall_after";
    case LossRule::NoProgress:
      return "stall_after without progress";
    case LossRule::NoControlPlane:
      return "control plane away";
    case LossRule::NoAnswer:
      return "two attempts not answered";
    case LossRule::OtherView:
      return "in another view";
    case LossRule::Others:
      return "lost by other members";
  }
  return "none";
}

LossRule Machine::lost_by(NodeId node) const noexcept {
  const auto index = index_of(node);
  return index ? peers_[*index].lost_by : LossRule::None;
}

LossRule Machine::loss_rule(std::size_t index, TimeNs now) const {
  const Peer& peer = peers_[index];
  const BootId& boot = view_boots_[index];
  if (peer.is_proven_dead(boot)) return LossRule::Obituary;
  if (peers_[self_].cut_off_at != 0) return LossRule::OwnLink;
  if (peers_[self_].mute) return LossRule::OwnWorker;
  if (peer.boot != boot || peer.is_buried(boot)) return LossRule::Restarted;
  if (peer.cut_off_at != 0) return LossRule::ItsLink;
  if (peer.hello && peer.hello->leaving) return LossRule::Leave;
  if (peer.hello && peer.hello->config_hash != config_.config_hash) return LossRule::Configuration;
  if (!follows(index)) return LossRule::OtherView;
  if (peer.mute) return LossRule::NoAnswer;
  if (peer.absent) return LossRule::NoControlPlane;
  return detector_.convicted_by(index, now, lanes_running());
}

// Once the lanes are frozen fewer rules apply, and more comes to be known: the first one counts.
void Machine::note_loss(std::size_t index, TimeNs now) {
  if (contains(heard_, index)) {
    peers_[index].lost_by = LossRule::None;
  } else if (peers_[index].lost_by == LossRule::None) {
    peers_[index].lost_by = loss_rule(index, now);
  }
}

void Machine::settle_losses(NodeSet before, TimeNs now) {
  losses_.clear();
  for (NodeSet rest = before & ~only(self_); rest != 0; rest &= rest - 1) {
    const std::size_t index = lowest(rest);
    const Member lost{config_.nodes[index], view_boots_[index]};
    if (std::ranges::find(durable_.members, lost) != durable_.members.end()) continue;
    Peer& peer = peers_[index];
    if (contains(view_set_, index)) peer.lost_by = loss_rule(index, now);  // Its next incarnation.
    losses_.push_back({lost, peer.lost_by == LossRule::None ? LossRule::Others : peer.lost_by});
    peer.lost_by = LossRule::None;
    if (contains(view_set_, index)) continue;
    // Rule: who did not stay is held twice as long the next time; who did starts over.
    const TimeNs stable = std::max(10 * peer.hold, 2 * config_.stall_after);
    peer.hold = peer.mute || now - peer.joined_at < stable
                    ? std::min(2 * peer.hold, config_.hold_max)
                    : config_.hold_min;
  }
}

}  // namespace phalanx::membership
