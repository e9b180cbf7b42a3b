#include "transport/links/link_choice.h"

#include <algorithm>

namespace phalanx::transport {

LinkChoice::Peer* LinkChoice::find(NodeId node) noexcept {
  for (std::size_t i = 0; i < peer_count_; ++i) {
    if (peers_[i].node == node) return &peers_[i];
  }
  if (peer_count_ == peers_.size()) return nullptr;
  peers_[peer_count_].node = node;
  return &peers_[peer_count_++];
}

void LinkChoice::set_members(std::span<const NodeId> members, TimeNs now) noexcept {
  const auto among = [&](NodeId node) {
    return std::find(members.begin(), members.end(), node) != members.end();
  };
  for (std::size_t i = 0; i < peer_count_; ++i) {
    peers_[i].member = peers_[i].member && among(peers_[i].node);
  }
  for (const NodeId node : members) {
    Peer* peer = node == config_.self ? nullptr : find(node);
    if (peer == nullptr || peer->member) continue;
    *peer = {.node = node, .member = true};
    peer->heard_at.fill(now);
  }
}

void LinkChoice::heard(NodeId sender, std::size_t over, LinkSet hears, TimeNs now) noexcept {
  Peer* peer = find(sender);
  if (peer == nullptr) return;
  peer->heard_at[over] = now;
  peer->hears = hears;
}

// Compared with the other link, not with the clock: who is silent everywhere is dead or slow, and
// a node that was itself descheduled has read no link.
LinkSet LinkChoice::hears() const noexcept {
  LinkSet out = kAllLinks;
  for (std::size_t i = 0; i < peer_count_; ++i) {
    const Peer& peer = peers_[i];
    if (!peer.member) continue;
    const TimeNs latest = *std::max_element(peer.heard_at.begin(), peer.heard_at.end());
    for (std::size_t link = 0; link < kLinksMax; ++link) {
      const TimeNs at = peer.heard_at[link];
      if (latest - at > config_.silent_after) out &= static_cast<LinkSet>(~(1U << link));
    }
  }
  return out;
}

LinkSet LinkChoice::carrying() const noexcept {
  LinkSet out = hears();
  for (std::size_t i = 0; i < peer_count_; ++i) {
    if (peers_[i].member) out &= peers_[i].hears;
  }
  return out;
}

LinkSet LinkChoice::choose(TimeNs now) noexcept {
  constexpr LinkSet kFirst = 1;
  const LinkSet carry = carrying();
  if ((carry & kFirst) == 0) {
    first_carries_since_ = 0;
    on_first_ = false;
  } else if (first_carries_since_ == 0) {
    first_carries_since_ = now;
  }
  // Where only the first carries there is nothing to wait for.
  if (!on_first_ && first_carries_since_ != 0 &&
      (carry == kFirst || now - first_carries_since_ >= config_.settle)) {
    on_first_ = true;
  }
  if (config_.use == Use::Both || carry == 0) return kAllLinks;
  if (on_first_) return kFirst;
  // The first is down, or settles: `carry` has the second, as neither alone nor none is left.
  return static_cast<LinkSet>(carry & ~kFirst);
}

}  // namespace phalanx::transport
