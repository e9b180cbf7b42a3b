#include "controlplane/daemon/peer_book.h"

#include <algorithm>

namespace phalanx::controlplane {

std::string_view to_string(BookVerdict verdict) noexcept {
  switch (verdict) {
    case BookVerdict::Vouched:
      return "vouched";
    case BookVerdict::LinkDown:
      return "link down";
    case BookVerdict::Dead:
      return "dead";
    case BookVerdict::Stranger:
      return "stranger";
    case BookVerdict::Replayed:
      return "replayed";
    case BookVerdict::OtherConfig:
      return "other configuration";
    case BookVerdict::Ordered:
      return "ordered";
  }
  return "corrupt";
}

std::string_view to_string(Refusal::Reason reason) noexcept {
  switch (reason) {
    case Refusal::Reason::ConfigHash:
      return "config_hash";
    case Refusal::Reason::ClusterKey:
      return "cluster_key";
    case Refusal::Reason::ProtocolVersion:
      return "protocol_version";
  }
  return "corrupt";
}

PeerBook::PeerBook(std::span<const NodeId> peers, std::uint64_t config_hash, TimeNs silence)
    : config_hash_(config_hash), silence_(silence) {
  for (const NodeId node : peers) peers_.emplace(node, Peer{});
}

const PeerBook::Peer* PeerBook::find(NodeId node) const {
  const auto found = peers_.find(node);
  return found == peers_.end() ? nullptr : &found->second;
}

void PeerBook::refuse(NodeId node, Refusal::Reason reason,
                      const wire::ManagementDifference& difference) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  std::optional<Refusal>& refusal = found->second.refusal;
  const std::uint64_t before = refusal && refusal->reason == reason ? refusal->count : 0;
  refusal = {
      .reason = reason, .theirs = difference.theirs, .mine = difference.mine, .count = before + 1};
}

BookVerdict PeerBook::judge(const wire::ManagementMessage& message, TimeNs now) {
  // An obituary may come from anybody, many times: only the process that drew the boot id could
  // seal it, and that id is never used again. What it says stays true.
  if (message.kind == wire::ManagementKind::Obituary) {
    return message.sealer.boot == message.worker ? BookVerdict::Dead : BookVerdict::Stranger;
  }
  const auto found = peers_.find(message.sealer.node);
  if (found == peers_.end()) return BookVerdict::Stranger;
  if (message.kind == wire::ManagementKind::Order) {
    return is_new(found->second, message, now, silence_) ? BookVerdict::Ordered
                                                         : BookVerdict::Replayed;
  }
  return judge_vouch(found->second, message, now);
}

bool PeerBook::is_new(Peer& peer, const wire::ManagementMessage& message, TimeNs now,
                      TimeNs silence) {
  const BootId& boot = message.sealer.boot;
  if (boot == peer.control_plane) {
    if (message.counter <= peer.counter) return false;
  } else {
    if (!peer.control_plane.is_none() && now < peer.heard_at + silence) return false;
    // One that was taken for dead may come back, with something new to say.
    const auto known =
        std::find_if(peer.retired.begin(), peer.retired.end(),
                     [&](const Peer::Retired& retired) { return retired.control_plane == boot; });
    if (known != peer.retired.end() && message.counter <= known->counter) return false;
    if (!peer.control_plane.is_none()) {
      auto& place = known != peer.retired.end()
                        ? *known
                        : peer.retired[peer.retired_next++ % peer.retired.size()];
      place = {peer.control_plane, peer.counter};
    }
    peer.control_plane = boot;
  }
  peer.counter = message.counter;
  peer.heard_at = now;
  return true;
}

BookVerdict PeerBook::judge_vouch(Peer& peer, const wire::ManagementMessage& message, TimeNs now) {
  if (!is_new(peer, message, now, silence_)) return BookVerdict::Replayed;
  peer.config_hash = message.config_hash;
  if (message.config_hash != config_hash_) {
    refuse(message.sealer.node, Refusal::Reason::ConfigHash, {message.config_hash, config_hash_});
    return BookVerdict::OtherConfig;
  }
  peer.refusal.reset();
  peer.worker = message.worker;
  peer.link_up = message.link_up;
  peer.vouched_at = now;
  return message.link_up ? BookVerdict::Vouched : BookVerdict::LinkDown;
}

}  // namespace phalanx::controlplane
