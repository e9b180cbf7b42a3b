#include "controlplane/daemon/conductor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"
#include "transport/wire/messages.h"

namespace phalanx::controlplane {
namespace {

using membership::Actions;
using membership::PeerSeen;
using shm::Command;
using shm::CommandKind;
using shm::WorkerEventKind;

std::vector<Member> without(std::span<const Member> from, std::span<const Member> what) {
  std::vector<Member> rest;
  std::set_difference(from.begin(), from.end(), what.begin(), what.end(), std::back_inserter(rest));
  return rest;
}

}  // namespace

Conductor::Conductor(const membership::MembershipConfig& config, const quorum::QuorumConfig& votes,
                     std::uint64_t sequence_reserved, DataPlanePort& port, Hooks hooks)
    : config_(config),
      membership_(config, sequence_reserved),
      quorum_(votes, config.self.node),
      port_(port),
      hooks_(std::move(hooks)) {}

Conductor::Begin Conductor::begin(TimeNs now) {
  const std::vector<std::byte> attempt = port_.load_attempt();
  if (!attempt.empty()) {
    std::optional<Actions> actions = restore(attempt, now);
    if (!actions) return Begin::Unusable;
    view_ = membership_.view();
    members_.assign(membership_.members().begin(), membership_.members().end());
    perform(*actions, now);
    return Begin::Adopted;
  }
  // Nothing was ever decided beside this data plane, unless its memory was lost.
  const auto status = port_.status();
  if (status && !status->view.is_none()) return Begin::Unusable;
  perform(membership_.start(now), now);
  return Begin::Started;
}

void Conductor::on_event(const shm::Event& event, TimeNs now) {
  switch (event.kind) {
    case WorkerEventKind::ControlMessage: {
      const auto kind = static_cast<wire::MessageKind>(event.message_kind);
      return perform(membership_.on_message(event.sender, kind, event.bytes, now), now);
    }
    case WorkerEventKind::Frozen: {
      const auto report = wire::decode_report(event.bytes);
      if (!report) {
        ++events_bad_;
        return;
      }
      return take_report(*report, now);
    }
    case WorkerEventKind::Recovered:
      return perform(membership_.on_recovered(event.view, now), now);
    case WorkerEventKind::Installed:
      return perform(membership_.on_installed(event.view, now), now);
    case WorkerEventKind::Refused:
      return perform(membership_.on_refused(event.view, now), now);
    case WorkerEventKind::Distrust:
      // What this node saw of its peers is as old as its worker's absence: accuse nobody yet.
      distrust_until_ = now + config_.dead_after / 2;
      return on_time(now);
    case WorkerEventKind::ClientAttached:
    case WorkerEventKind::ClientDetached:
    case WorkerEventKind::Groups:
      return;
  }
}

void Conductor::on_vouch(NodeId peer, TimeNs now) { perform(membership_.on_vouch(peer, now), now); }

void Conductor::on_dead(Member peer, TimeNs now) {
  note_loss(peer, now);
  perform(membership_.on_dead(peer, now), now);
}

void Conductor::on_cut_off(Member peer, TimeNs now) {
  note_loss(peer, now);
  perform(membership_.on_cut_off(peer, now), now);
}

void Conductor::on_own_link(bool up, TimeNs now) { perform(membership_.on_own_link(up, now), now); }

void Conductor::note_loss(Member peer, TimeNs now) {
  if (change_began_ == 0 && std::binary_search(members_.begin(), members_.end(), peer)) {
    change_began_ = now;
  }
}

void Conductor::on_time(TimeNs now) {
  // An event that found its ring full is lost, and this one is never said again. The worker's
  // status says it as well.
  const auto status = port_.status();
  if (status && status->view != membership_.view() && status->view == membership_.attempt()) {
    perform(membership_.on_installed(status->view, now), now);
  }
  if (held_ && now >= held_->until) release_report(false, now);
  perform(membership_.on_seen(peers_seen(now), now), now);
  perform(membership_.on_time(now), now);
}

quorum::Ruling Conductor::propose(const wire::Order& order, TimeNs now) {
  quorum::Ruling ruling = quorum_.propose(order);
  if (ruling.verdict == quorum::Verdict::Carried) perform(membership_.renew(now), now);
  return ruling;
}

void Conductor::leave(TimeNs now) { perform(membership_.leave(now), now); }

std::vector<PeerSeen> Conductor::peers_seen(TimeNs now) {
  std::vector<PeerSeen> seen;
  const auto status = port_.status();
  if (!status) return seen;
  const auto members = membership_.members();
  for (const shm::PeerStatus& peer : status->peer) {
    if (peer.node == 0) continue;
    // What was heard of an earlier incarnation says nothing about this one.
    const bool current = std::any_of(members.begin(), members.end(), [&](const Member& member) {
      return member == Member{peer.node, peer.boot};
    });
    seen.push_back({.node = peer.node,
                    .heard = current ? peer.heard : 0,
                    .progressed = current ? peer.progressed : 0,
                    .distrusts_itself = peer.distrusts_itself != 0});
  }
  // A worker that has written nothing for so long does not run: its silence is not the peers'.
  const bool stale = status->written_at != 0 && now > status->written_at + config_.dead_after / 2;
  if (stale || now < distrust_until_) {
    seen.push_back(
        {.node = config_.self.node, .heard = now, .progressed = now, .distrusts_itself = true});
  }
  std::sort(seen.begin(), seen.end(),
            [](const PeerSeen& a, const PeerSeen& b) { return a.node < b.node; });
  return seen;
}

void Conductor::perform(const Actions& actions, TimeNs now) {
  wake(actions.wake_at);
  if (actions.reserve_sequence) reserve_wanted_ = actions.reserve_sequence;
  if (reserve_wanted_) {
    const auto durable = hooks_.reserve(*reserve_wanted_);
    if (durable) {
      reserve_wanted_.reset();
    } else {
      hooks_.failed(durable.error());
    }
  }
  if (actions.recover) quorum_.on_plan(*actions.recover);
  if (actions.install) (void)quorum_.on_install(*actions.install, now);
  store();
  if (change_began_ == 0 && membership_.frozen()) change_began_ = now;
  flush();
  command(actions);
  look_for_view_change(now);
}

// Both in one piece, with the length of the second at the end: a control plane that died between
// two writes would know the attempt and not what it promised with it.
void Conductor::store() {
  std::vector<std::byte> bytes = membership_.snapshot();
  const std::vector<std::byte> votes = quorum_.snapshot();
  bytes.insert(bytes.end(), votes.begin(), votes.end());
  bytes.resize(bytes.size() + 4);
  store_le<std::uint32_t>(bytes.data() + bytes.size() - 4,
                          static_cast<std::uint32_t>(votes.size()));
  port_.store_attempt(bytes);
}

std::optional<Actions> Conductor::restore(std::span<const std::byte> bytes, TimeNs now) {
  if (bytes.size() < 4) return std::nullopt;
  const std::size_t votes = load_le<std::uint32_t>(bytes.last(4).data());
  bytes = bytes.first(bytes.size() - 4);
  if (votes > bytes.size() || !quorum_.restore(bytes.last(votes))) return std::nullopt;
  return membership_.restore(bytes.first(bytes.size() - votes), now);
}

void Conductor::command(const Actions& actions) {
  if (actions.freeze) must_send({.kind = CommandKind::Freeze, .attempt = membership_.attempt()});
  if (actions.recover) {
    Command command{.kind = CommandKind::BeginRecovery, .attempt = actions.recover->attempt};
    wire::encode(*actions.recover, command.bytes);
    must_send(std::move(command));
  }
  if (actions.install) {
    Command command{.kind = CommandKind::Install,
                    .token = quorum_.outcome().quorate ? 1U : 0U,
                    .attempt = actions.install->attempt};
    wire::encode(*actions.install, command.bytes);
    must_send(std::move(command));
  }
  for (const membership::Send& what : actions.sends) send(what);
}

void Conductor::send(const membership::Send& what) {
  Command command{.kind = CommandKind::SendControl,
                  .message_kind = static_cast<std::uint8_t>(what.kind),
                  .bytes = what.bytes};
  switch (what.to) {
    case membership::Send::To::Node:
      command.to.push_back({what.node, what.boot});
      break;
    case membership::Send::To::Attempt:
      if (what.members.empty()) return;  // Nobody named would mean everybody.
      command.to = what.members;
      break;
    case membership::Send::To::Everyone:
      break;
  }
  // Messages may get lost, orders may not; and none overtakes an order that waits. A sequence that
  // is not on the disk must not be seen by anybody.
  if (reserve_wanted_ || !unsent_.empty() || !port_.send(command)) ++sends_lost_;
}

void Conductor::must_send(Command command) {
  if (!reserve_wanted_ && unsent_.empty() && port_.send(command)) return;
  // An order that was not even sent gives way to the same order of a later attempt, so that a
  // stopped worker costs bounded memory.
  if (!unsent_.empty() && unsent_.back().kind == command.kind) unsent_.pop_back();
  unsent_.push_back(std::move(command));
}

void Conductor::flush() {
  if (reserve_wanted_) return;
  while (!unsent_.empty() && port_.send(unsent_.front())) unsent_.pop_front();
}

void Conductor::look_for_view_change(TimeNs now) {
  if (membership_.view() == view_) return;
  const auto members = membership_.members();
  const auto losses = membership_.losses();
  ViewChange change{.view = membership_.view(),
                    .members = {members.begin(), members.end()},
                    .left = {losses.begin(), losses.end()},
                    .joined = without(members, members_),
                    .quorum = quorum_.outcome(),
                    .took = change_began_ == 0 ? 0 : now - change_began_};
  view_ = change.view;
  members_ = change.members;
  change_began_ = 0;
  hooks_.view_changed(change);
  if (const auto ruling = quorum_.take_ruling()) hooks_.ruled(*ruling);
  // Another node's order came first, or the ballot was cast before this one.
  if (quorum_.proposes()) perform(membership_.renew(now), now);
}

}  // namespace phalanx::controlplane
