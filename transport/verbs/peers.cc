#include "transport/verbs/peers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {

Peers::Peers(const std::vector<VerbsNode>& nodes, NodeId self, bool infiniband)
    : infiniband_(infiniband) {
  for (const VerbsNode& node : nodes) {
    if (node.node == self) continue;
    const ibv_gid address = gid_of(node.address).value_or(ibv_gid{});
    peers_.push_back({.node = node.node, .configured = infiniband ? ibv_gid{} : address});
  }
}

Peers::~Peers() {
  for (const Peer& peer : peers_) {
    if (peer.handle != nullptr) calls::destroy_ah(peer.handle);
    if (peer.old != nullptr) calls::destroy_ah(peer.old);
  }
}

bool Peers::is_news(NodeId node, const char* misfit, std::uint32_t value, TimeNs now) noexcept {
  Peer* peer = entry(node);
  if (peer == nullptr) return false;
  if (peer->misfit_value == value && std::strcmp(peer->misfit, misfit) == 0) return false;
  if (peer->misfit_at != 0 && now < peer->misfit_at + kSecond) return false;
  peer->misfit = misfit;
  peer->misfit_value = value;
  peer->misfit_at = now;
  return true;
}

void Peers::doubt_all() noexcept {
  for (Peer& peer : peers_) peer.proven = false;
}

void Peers::set_members(std::span<const NodeId> members) noexcept {
  for (Peer& peer : peers_) {
    peer.member = std::ranges::find(members, peer.node) != members.end();
  }
}

const Peer* Peers::find(NodeId node) const noexcept {
  for (const Peer& peer : peers_) {
    if (peer.node == node) return &peer;
  }
  return nullptr;
}

Peer* Peers::entry(NodeId node) noexcept {
  for (Peer& peer : peers_) {
    if (peer.node == node) return &peer;
  }
  return nullptr;
}

/// Perhaps another adapter, perhaps a forger: against what frames proved it is only kept in mind.
void Peers::tell_gid(Peer& peer, const ibv_gid& gid) noexcept {
  if (same(peer.configured, gid)) return;
  (peer.gid_proven ? peer.candidate : peer.configured) = gid;
}

/// An authentic frame came from `gid`: that of another adapter, if it was announced.
bool Peers::take_candidate(Peer& peer, const ibv_gid& gid) noexcept {
  if (same(peer.candidate, ibv_gid{}) || !same(peer.candidate, gid)) return false;
  peer.configured = std::exchange(peer.candidate, ibv_gid{});
  return true;
}

bool Peers::moved(Peer& peer, const Source& from, std::uint64_t completed) noexcept {
  if (peer.handle != nullptr && peer.at.is(from)) return false;
  if (peer.refused_until != 0 && calls::now() < peer.refused_until) return false;
  if (peer.old != nullptr) {
    if (completed < peer.old_until) return false;  // The next frame will tell again.
    calls::destroy_ah(std::exchange(peer.old, nullptr));
  }
  return true;
}

void Peers::replace(Peer& peer, ibv_ah* made, const Source& from, std::uint64_t posted) noexcept {
  if (made == nullptr) {  // Asked now: that may have taken long.
    peer.refused_until = calls::now() + kSecond;
    return;
  }
  peer.refused_until = 0;
  peer.old = std::exchange(peer.handle, made);
  peer.old_until = posted;
  peer.at = from;
}

}  // namespace phalanx::transport::verbs
