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
using membership::InputKind;
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
      hooks_(std::move(hooks)),
      chronicle_(config, hooks_.recorder != nullptr ? *hooks_.recorder : no_recorder_) {
  if (hooks_.tape != nullptr) hooks_.tape->begin(membership_);
}

Conductor::Begin Conductor::begin(TimeNs now) {
  const std::vector<std::byte> attempt = port_.load_attempt();
  if (!attempt.empty()) {
    return restore(attempt, now) ? Begin::Adopted : Begin::Unusable;
  }
  // Nothing was ever decided beside this data plane, unless its memory was lost.
  const auto status = port_.status();
  if (status && !status->view.is_none()) return Begin::Unusable;
  step({.kind = InputKind::Start, .now = now});
  return Begin::Started;
}

bool Conductor::step(const membership::Input& input) {
  const std::optional<Actions> actions = membership::apply(membership_, input);
  if (hooks_.tape != nullptr) {
    hooks_.tape->step(membership_, input, membership::outcome_of(actions, membership_));
  }
  if (!actions) return false;
  if (input.kind == InputKind::Restore) {
    view_ = membership_.view();
    members_.assign(membership_.members().begin(), membership_.members().end());
  }
  perform(*actions, input.now);
  return true;
}

void Conductor::on_event(const shm::Event& event, TimeNs now) {
  switch (event.kind) {
    case WorkerEventKind::ControlMessage: {
      step({.kind = InputKind::Message,
            .now = now,
            .from = event.sender,
            .message = static_cast<wire::MessageKind>(event.message_kind),
            .bytes = event.bytes});
      return;
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
      step({.kind = InputKind::Recovered, .now = now, .view = event.view});
      return;
    case WorkerEventKind::Installed:
      step({.kind = InputKind::Installed, .now = now, .view = event.view});
      return;
    case WorkerEventKind::Refused:
      step({.kind = InputKind::Refused, .now = now, .view = event.view});
      return;
    case WorkerEventKind::Distrust:
      // What this node saw of its peers is as old as its worker's absence: accuse nobody yet.
      distrust_until_ = now + config_.dead_after / 2;
      return on_time(now);
    case WorkerEventKind::ClientAttached:
    case WorkerEventKind::ClientDetached:
    case WorkerEventKind::Groups:
    case WorkerEventKind::KeysHeld:
      return;
  }
}

void Conductor::on_vouch(NodeId peer, TimeNs now) {
  step({.kind = InputKind::Vouch, .now = now, .from = {peer, {}}});
}

void Conductor::on_dead(Member peer, TimeNs now) {
  note_loss(peer, now);
  chronicle_.note(recorder::Kind::Obituary, peer.node);
  step({.kind = InputKind::Dead, .now = now, .from = peer});
}

void Conductor::on_cut_off(Member peer, TimeNs now) {
  note_loss(peer, now);
  chronicle_.note(recorder::Kind::PeerLinkDown, peer.node);
  step({.kind = InputKind::CutOff, .now = now, .from = peer});
}

void Conductor::on_own_link(bool up, TimeNs now) {
  chronicle_.own_link(up);
  step({.kind = InputKind::OwnLink, .now = now, .up = up});
}

void Conductor::tune(const membership::Times& times, const shm::Tuning& tuning, TimeNs now) {
  Command command{.kind = CommandKind::Tune};
  shm::encode(tuning, command.bytes);
  must_send(std::move(command));
  const membership::Times known{.dead_after = config_.dead_after,
                                .stall_after = config_.stall_after,
                                .hold_min = config_.hold_min,
                                .hold_max = config_.hold_max};
  if (times == known) return;
  config_.dead_after = times.dead_after;
  config_.stall_after = times.stall_after;
  config_.hold_min = times.hold_min;
  config_.hold_max = times.hold_max;
  step(membership::retimed(times, now));
}

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
    step({.kind = InputKind::Installed, .now = now, .view = status->view});
  }
  if (held_ && now >= held_->until) release_report(false, now);
  const std::vector<PeerSeen> seen = peers_seen(now);
  chronicle_.seen(seen);
  step({.kind = InputKind::Seen, .now = now, .seen = seen});
  step({.kind = InputKind::Time, .now = now});
}

quorum::Ruling Conductor::propose(const wire::Order& order, TimeNs now) {
  quorum::Ruling ruling = quorum_.propose(order);
  if (ruling.verdict == quorum::Verdict::Carried) step({.kind = InputKind::Renew, .now = now});
  return ruling;
}

void Conductor::rekey(const membership::KeyIds& keys, TimeNs now) {
  step(membership::rekeyed(keys, now));
}

void Conductor::leave(TimeNs now) { step({.kind = InputKind::Leave, .now = now}); }

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
  chronicle_.after(membership_, actions, now);
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

bool Conductor::restore(std::span<const std::byte> bytes, TimeNs now) {
  if (bytes.size() < 4) return false;
  const std::size_t votes = load_le<std::uint32_t>(bytes.last(4).data());
  bytes = bytes.first(bytes.size() - 4);
  if (votes > bytes.size() || !quorum_.restore(bytes.last(votes))) return false;
  const auto snapshot = bytes.first(bytes.size() - votes);
  return step(
      {.kind = InputKind::Restore, .now = now, .bytes = {snapshot.begin(), snapshot.end()}});
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
  chronicle_.view_changed(change);
  hooks_.view_changed(change);
  if (const auto ruling = quorum_.take_ruling()) hooks_.ruled(*ruling);
  // Another node's order came first, or the ballot was cast before this one.
  if (quorum_.proposes()) step({.kind = InputKind::Renew, .now = now});
}

}  // namespace phalanx::controlplane
