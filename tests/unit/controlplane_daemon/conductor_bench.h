#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/daemon/conductor.h"
#include "ipc/base/bytes.h"
#include "transport/wire/messages.h"

namespace phalanx::controlplane {

/// A data plane that obeys at once and holds nothing, for conductors to command. What it would put
/// on the wire and answer is queued for the Bench.
class ScriptedPort : public DataPlanePort {
 public:
  explicit ScriptedPort(Member self) : self_(self) {}

  bool send(const shm::Command& command) override {
    if (ring_is_full) return false;
    history.push_back(name_of(command));
    commands.push_back(command);
    return true;
  }
  void store_attempt(std::span<const std::byte> bytes) override {
    history.emplace_back("store");
    attempt.assign(bytes.begin(), bytes.end());
  }
  [[nodiscard]] std::vector<std::byte> load_attempt() const override { return attempt; }
  [[nodiscard]] std::optional<shm::WorkerStatus> status() const override { return worker; }

  [[nodiscard]] static std::string name_of(const shm::Command& command) {
    switch (command.kind) {
      case shm::CommandKind::SendControl:
        return "send";
      case shm::CommandKind::Freeze:
        return "freeze";
      case shm::CommandKind::BeginRecovery:
        return "recover";
      case shm::CommandKind::Install:
        return "install";
      case shm::CommandKind::ListGroups:
        return "list";
      case shm::CommandKind::Tune:
        return "tune";
    }
    return "corrupt";
  }
  /// Does what one command says; empty when it has no answer.
  std::optional<shm::Event> obey(const shm::Command& command) {
    switch (command.kind) {
      case shm::CommandKind::Freeze: {
        worker.frozen = 1;
        shm::Event frozen{.kind = shm::WorkerEventKind::Frozen};
        wire::encode(
            wire::Report{.attempt = command.attempt, .old_view = worker.view, .lanes = {{}}},
            frozen.bytes);
        return frozen;
      }
      case shm::CommandKind::BeginRecovery:
        if (refuses_plans > 0) {
          --refuses_plans;
          return shm::Event{.kind = shm::WorkerEventKind::Refused, .view = command.attempt};
        }
        return shm::Event{.kind = shm::WorkerEventKind::Recovered, .view = command.attempt};
      case shm::CommandKind::Install: {
        const auto plan = wire::decode_plan(command.bytes);
        worker.frozen = 0;
        worker.view = plan->attempt;
        told_quorate = command.token != 0;
        worker.members = static_cast<std::uint32_t>(plan->members.size());
        std::fill(std::begin(worker.peer), std::end(worker.peer), shm::PeerStatus{});
        std::size_t next = 0;
        for (const Member& member : plan->members) {
          if (member != self_) worker.peer[next++] = {.node = member.node, .boot = member.boot};
        }
        if (loses_installed) break;
        return shm::Event{.kind = shm::WorkerEventKind::Installed, .view = plan->attempt};
      }
      case shm::CommandKind::SendControl:
      case shm::CommandKind::ListGroups:
      case shm::CommandKind::Tune:
        break;
    }
    return std::nullopt;
  }

  std::deque<shm::Command> commands;
  std::vector<std::string> history;
  std::vector<std::byte> attempt;
  shm::WorkerStatus worker{};
  bool ring_is_full = false;
  bool loses_installed = false;  ///< The event: it found no room.
  bool told_quorate = false;     ///< With the install of its view.
  int refuses_plans = 0;         ///< So many of the next.

 private:
  Member self_;
};

/// Nodes 1..n in virtual time, with a wire that loses nothing.
class Bench {
 public:
  struct Node {
    Member self;
    std::unique_ptr<ScriptedPort> port;
    std::unique_ptr<Conductor> conductor;  ///< nullptr: crashed.
    bool alive = true;                     ///< The data plane.
    bool worker_stopped = false;           ///< It exists and does nothing.
    TimeNs wake_at = kNever;
    std::uint64_t reserved = 0;
    bool disk_full = false;
    std::vector<ViewChange> views;
    std::vector<quorum::Ruling> rulings;
    std::vector<wire::DeviceWord> asked;  ///< Of the quorum device.
  };

  explicit Bench(NodeId count) {
    for (NodeId id = 1; id <= count; ++id) {
      Node node;
      node.self = {id, {}};
      node.self.boot.bytes[0] = static_cast<std::uint8_t>(id);
      node.port = std::make_unique<ScriptedPort>(node.self);
      nodes_.push_back(std::move(node));
    }
  }

  Node& node(NodeId id) { return nodes_[id - 1]; }
  [[nodiscard]] TimeNs now() const noexcept { return now_; }

  /// A control plane beside the node's data plane, be that new or not.
  Conductor::Begin start(NodeId id) {
    Node& at = node(id);
    membership::MembershipConfig config;
    config.self = at.self;
    for (const Node& other : nodes_) config.nodes.push_back(other.self.node);
    config.config_hash = 7;
    quorum::QuorumConfig votes;
    for (const NodeId node_id : config.nodes) votes.nodes.push_back({node_id, 1});
    votes.wait_for_all = wait_for_all;
    votes.device_votes = device_votes;
    at.conductor = std::make_unique<Conductor>(
        config, votes, at.reserved, *at.port,
        Conductor::Hooks{
            .reserve = [&at](std::uint64_t sequence) -> Expected<void, Error> {
              if (at.disk_full) return fail(Error{.attempted = "reserve"});
              at.reserved = sequence;
              return {};
            },
            .wake = [&at](TimeNs when) { at.wake_at = when; },
            .view_changed = [&at](const ViewChange& change) { at.views.push_back(change); },
            .failed = [](const Error&) {},
            .ruled = [&at](const quorum::Ruling& ruling) { at.rulings.push_back(ruling); },
            .ask = [&at](const wire::DeviceWord& word) { at.asked.push_back(word); }});
    return at.conductor->begin(now_);
  }
  void start_all() {
    for (const Node& each : nodes_) (void)start(each.self.node);
  }

  /// Obeys one command of one node. False when none waits.
  bool step() {
    for (Node& from : nodes_) {
      if (!from.alive || from.worker_stopped || from.port->commands.empty()) continue;
      const shm::Command command = from.port->commands.front();
      from.port->commands.pop_front();
      if (command.kind == shm::CommandKind::SendControl) {
        carry(from, command);
      } else if (auto answer = from.port->obey(command); answer && from.conductor) {
        from.conductor->on_event(*answer, now_);
      }
      return true;
    }
    return false;
  }

  void run_for(TimeNs time) {
    const TimeNs end = now_ + time;
    for (;;) {
      while (step()) {
      }
      TimeNs next = kNever;
      for (const Node& each : nodes_) {
        if (each.conductor) next = std::min(next, each.wake_at);
      }
      if (next > end) break;
      now_ = std::max(next, now_ + kMicrosecond);
      hear_one_another();
      for (Node& each : nodes_) {
        if (!each.conductor || each.wake_at > now_) continue;
        if (vouching) vouch_for_all_to(each);
        each.conductor->on_time(now_);
      }
    }
    now_ = end;
  }

  [[nodiscard]] bool agree(const std::vector<NodeId>& ids) {
    const ViewId view = node(ids.front()).port->worker.view;
    if (view.is_none()) return false;
    return std::all_of(ids.begin(), ids.end(), [&](NodeId id) {
      const Node& each = node(id);
      return each.port->worker.view == view && each.port->worker.members == ids.size();
    });
  }

  bool vouching = false;
  bool wait_for_all = false;       ///< Before the start.
  std::uint32_t device_votes = 0;  ///< Likewise.

 private:
  void carry(const Node& from, const shm::Command& command) {
    shm::Event event{.kind = shm::WorkerEventKind::ControlMessage,
                     .message_kind = command.message_kind,
                     .sender = from.self,
                     .bytes = command.bytes};
    for (Node& to : nodes_) {
      const bool named = command.to.empty() || std::find(command.to.begin(), command.to.end(),
                                                         to.self) != command.to.end();
      if (&to != &from && to.alive && to.conductor && named) to.conductor->on_event(event, now_);
    }
  }
  void hear_one_another() {
    for (Node& each : nodes_) {
      if (!each.alive || each.worker_stopped) continue;
      each.port->worker.written_at = now_;
      for (shm::PeerStatus& peer : each.port->worker.peer) {
        if (peer.node == 0) continue;
        const Node& other = node(peer.node);
        if (other.alive && !other.worker_stopped) peer.heard = peer.progressed = now_;
      }
    }
  }
  void vouch_for_all_to(Node& to) {
    for (const Node& from : nodes_) {
      if (from.alive && from.self != to.self) to.conductor->on_vouch(from.self.node, now_);
    }
  }

  std::vector<Node> nodes_;
  TimeNs now_ = kSecond;
};

}  // namespace phalanx::controlplane
