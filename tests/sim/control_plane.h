#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "controlplane/membership/membership.h"
#include "controlplane/quorum/quorum.h"
#include "tests/sim/data_plane.h"
#include "tests/sim/scenario.h"
#include "tests/sim/trace.h"

namespace phalanx::sim {

/// What a node keeps on disk, and what its control plane keeps in the data plane's memory.
struct Durable {
  std::uint64_t sequence_reserved = 0;
  std::vector<std::byte> snapshot;  ///< Dies with the data plane.
  std::vector<std::byte> votes;     ///< Likewise.
  KeysHeld keys;                    ///< Its key files.
};

/// A control-plane process: the production membership machine and quorum, their actions in order.
class ControlPlane {
 public:
  ControlPlane(const Scenario& scenario, Member self, Durable& durable, Trace& trace);

  /// Snapshots cost more than most steps: kept only where a control plane may crash.
  void keep_snapshots() noexcept { keep_snapshots_ = true; }
  void start(TimeNs now);
  /// Goes on where an earlier control plane of this data plane stopped; false: it cannot.
  [[nodiscard]] bool restore(TimeNs now);

  void on_event(const PlaneEvent& event, TimeNs now);
  void leave(TimeNs now) { execute(machine_.leave(now), now); }
  void rekey(const membership::KeyIds& keys, TimeNs now) {
    execute(machine_.rekey(keys, now), now);
  }
  /// An order about votes: which one comes from `draw`.
  void order_votes(std::uint64_t draw, TimeNs now);
  void on_dead(Member peer, TimeNs now) { execute(machine_.on_dead(peer, now), now); }
  void on_cut_off(Member peer, TimeNs now) { execute(machine_.on_cut_off(peer, now), now); }
  void on_own_link(bool up, TimeNs now) { execute(machine_.on_own_link(up, now), now); }
  void on_vouch(NodeId peer, TimeNs now) { execute(machine_.on_vouch(peer, now), now); }
  /// `seen` is the worker's table, read now.
  void on_time(std::span<const membership::PeerSeen> seen, TimeNs now);

  [[nodiscard]] TimeNs wake_at() const noexcept { return wake_at_; }
  [[nodiscard]] std::deque<PlaneCommand>& commands() noexcept { return commands_; }
  [[nodiscard]] const membership::Membership& machine() const noexcept { return machine_; }

 private:
  void execute(const membership::Actions& actions, TimeNs now);
  void trace_actions(const membership::Actions& actions);

  Member self_;
  Durable& durable_;
  Trace& trace_;
  membership::Membership machine_;
  quorum::Quorum quorum_;
  std::deque<PlaneCommand> commands_;
  TimeNs wake_at_ = 0;
  bool keep_snapshots_ = false;
};

}  // namespace phalanx::sim
