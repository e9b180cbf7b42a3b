#include "tests/sim/cluster.h"

#include <algorithm>
#include <bit>

#include "ipc/base/assert.h"
#include "tests/sim/checkers/violation.h"
#include "tests/sim/forger.h"

namespace phalanx::sim {
namespace {

constexpr std::uint32_t kWakeShift = 28;  ///< Kind of a wake above, its number below.
constexpr std::uint64_t kTurnsPerNodeMax = 4'000'000;
constexpr std::uint64_t kFrameEventsMax = 20'000'000;

std::uint32_t rx_ring_frames(const Scenario& s) {
  if (s.rx_ring_frames != 0) return s.rx_ring_frames;
  const std::uint32_t bytes =
      s.window_bytes + static_cast<std::uint32_t>(s.nodes) * s.submit_window_bytes;
  return 256 +
         s.lanes * (2 * bytes / s.frame_payload_bytes + 8 * static_cast<std::uint32_t>(s.nodes));
}

transport::TransportLimits limits(const Scenario& s) {
  const std::uint32_t row = 64 + 16 * kNodesMax;
  return {.frame_bytes_max = std::max(s.frame_payload_bytes, row) +
                             static_cast<std::uint32_t>(wire::kOverheadBytes),
          .burst_frames_max = 32,
          .rx_ring_frames = rx_ring_frames(s)};
}

}  // namespace

Cluster::Cluster(const Scenario& scenario, MemoryPool& pool, Trace& trace)
    : scenario_(scenario),
      trace_(trace),
      random_(transport::mix64(scenario.seed + 1)),
      network_(scenario.nodes, limits(scenario), random_.next()),
      observer_(scenario.lanes, scenario.window_bytes, window_frames(scenario)),
      scheduled_(scenario.nodes, kNever) {
  network_.set_all_links(scenario.faults);
  network_.set_forger(forge);
  for (NodeId id = 1; id <= scenario.nodes; ++id) {
    nodes_.push_back(std::make_unique<Node>(
        DataPlaneParts{scenario_, network_.port(id), observer_, pool, trace_, replicated_}, id,
        random_.next()));
    later_.push_back({Step::Kind::Kill, id, {}});
    wakes_.push(random_.below(scenario.start_spread + 1),
                (static_cast<std::uint32_t>(Wake::Again) << kWakeShift) | (id - 1));
  }
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    wakes_.push(scenario.steps[i].at, (static_cast<std::uint32_t>(Wake::Step) << kWakeShift) |
                                          static_cast<std::uint32_t>(i));
  }
  if (scenario.management) wakes_.push(0, static_cast<std::uint32_t>(Wake::Vouch) << kWakeShift);
}

HistoryCounts Cluster::run() {
  run_until(scenario_.faulty_until);
  if (scenario_.settles) run_until_settled();
  heal();
  run_until_others_go_on();
  run_until_quiet();
  observer_.at_end();
  replicated_.check_end();
  check_innocence();
  for (const auto& node : nodes_) check_lanes(node->data().core());
  return counts();
}

/// What the field would see: rows whose order hash contradicts, a log that breaks a rule.
void Cluster::check_lanes(const core::Core& core) const {
  for (LaneId lane = 0; lane < scenario_.lanes; ++lane) {
    const core::LaneStatus status = core.lane_status(lane);
    if (status.divergences != 0) violated("G1 agreed order", "order hashes differ between nodes");
    if (status.poisoned) violated("G6 no invention", "a lane's log broke a rule");
  }
}

void Cluster::run_until(TimeNs end) {
  for (;;) {
    const TimeNs next = std::min(network_.next_arrival(), wakes_.next_at());
    if (next > end) break;
    step_to(next);
  }
  now_ = end;
  network_.set_time(now_);
}

void Cluster::step_to(TimeNs at) {
  now_ = at;
  network_.set_time(at);
  trace_.set_time(at);
  if (network_.next_arrival() <= at) {
    for (std::uint64_t reached = network_.deliver_until(at); reached != 0; reached &= reached - 1) {
      const auto node = static_cast<NodeId>(std::countr_zero(reached) + 1);
      if (nodes_[node - 1]->up()) {
        schedule(node, nodes_[node - 1]->ready_at(at));
      } else {
        network_.forget_arrived(node);
      }
    }
  }
  while (wakes_.next_at() <= at) {
    const std::uint32_t what = wakes_.pop().what;
    const std::uint32_t number = what & ((1u << kWakeShift) - 1);
    switch (static_cast<Wake>(what >> kWakeShift)) {
      case Wake::Node:
        if (scheduled_[number] <= at) turn(static_cast<NodeId>(number + 1));
        break;
      case Wake::Step:
        if (!healed_) apply(scenario_.steps[number]);
        break;
      case Wake::Vouch:
        vouch();
        break;
      case Wake::Again:
        restart(later_[number]);
        break;
    }
  }
}

void Cluster::schedule(NodeId node, TimeNs at) {
  if (at >= scheduled_[node - 1]) return;
  scheduled_[node - 1] = at;
  wakes_.push(at, (static_cast<std::uint32_t>(Wake::Node) << kWakeShift) | (node - 1));
}

void Cluster::turn(NodeId node) {
  scheduled_[node - 1] = kNever;
  Node& me = *nodes_[node - 1];
  if (!me.up()) return;
  const TimeNs next = me.turn(now_);
  if (me.dies_now()) return apply({.kind = me.death(), .node = node, .span = me.grave_span()});
  if (next != kNever) schedule(node, next);
  if ((me.turns() & 1023) == 0) check_budget();
}

void Cluster::start(NodeId node) {
  network_.forget_arrived(node);
  nodes_[node - 1]->start(now_);
  if (healed_) nodes_[node - 1]->data().load().stop();
  schedule(node, now_);
}

void Cluster::restart(const Later& later) {
  Node& node = *nodes_[later.node - 1];
  if (later.kind == Step::Kind::LinkDown) return set_own_link(later.node, true);
  if (later.kind == Step::Kind::KillControl) {
    node.restore_control(now_);
    if (node.up() &&
        !node.control_up()) {  // Nothing to go on with: the data plane is started anew.
      tell_of_death(node.kill_data());
      start(later.node);
    }
    schedule(later.node, now_);
    return;
  }
  if (later.kind == Step::Kind::Leave && node.up()) {
    // Whether it could leave in time or not, it goes now; both are allowed to it.
    node.kill();
  }
  if (!later.dead.boot.is_none()) tell_of_death(later.dead);
  if (!node.up()) start(later.node);
}

void Cluster::tell_of_death(Member dead) {
  if (!scenario_.management || now_ < management_cut_until_) return;
  for (const auto& node : nodes_) {
    if (node->id() == dead.node || !node->up()) continue;
    node->on_dead(dead, now_);
    schedule(node->id(), node->ready_at(now_));
  }
}

void Cluster::vouch() {
  wakes_.push(now_ + scenario_.dead_after / 4, static_cast<std::uint32_t>(Wake::Vouch)
                                                   << kWakeShift);
  if (now_ < management_cut_until_) return;
  for (const auto& to : nodes_) {
    if (!to->up() || !to->steps(now_)) continue;
    for (const auto& from : nodes_) {
      if (from == to || !from->up() || !from->control_up() || !from->steps(now_)) continue;
      if (from->link_up()) {
        to->on_vouch(from->id(), now_);
      } else {
        to->on_cut_off(from->data().self(), now_);
      }
    }
    schedule(to->id(), to->ready_at(now_));
  }
}

void Cluster::set_own_link(NodeId node, bool up) {
  for (NodeId other = 1; other <= nodes_.size(); ++other) {
    if (other == node) continue;
    network_.link(node, other).cut = network_.link(other, node).cut =
        !up || !nodes_[other - 1]->link_up();
  }
  nodes_[node - 1]->set_link(up, now_);
  schedule(node, nodes_[node - 1]->ready_at(now_));
}

void Cluster::heal() {
  healed_ = true;
  trace_.set_time(now_);
  trace_.line(0, "step", "heal: no more faults, everything starts, clients stop");
  calm_links(/*mend_cuts=*/true);
  management_cut_until_ = 0;
  start_all();
  complete_rotation();
}

void Cluster::calm_links(bool mend_cuts) {
  transport::LinkFaults clean = scenario_.faults;
  clean.drop_ppm = clean.duplicate_ppm = clean.corrupt_ppm = clean.reorder_ppm = 0;
  clean.forge_ppm = 0;
  for (NodeId a = 1; a <= nodes_.size(); ++a) {
    for (NodeId b = 1; b <= nodes_.size(); ++b) {
      clean.cut = !mend_cuts && network_.link(a, b).cut;
      network_.link(a, b) = clean;
    }
  }
}

void Cluster::start_all() {
  for (const auto& node : nodes_) {
    node->set_link(true, now_);
    node->pause_readers_until(0);
    node->stall_control_until(0);
    node->die_at_action(0, Step::Kind::KillData, 0);
    if (!node->up()) {
      start(node->id());
    } else if (!node->control_up()) {
      restart({Step::Kind::KillControl, node->id(), {}});
    }
    node->data().load().stop();
    schedule(node->id(), node->ready_at(now_));
  }
}

void Cluster::check_budget() const {
  std::uint64_t turns = 0;
  for (const auto& node : nodes_) turns += node->turns();
  if (turns > kTurnsPerNodeMax * nodes_.size() ||
      network_.counters().frame_events() > kFrameEventsMax) {
    Liveness::stuck(now_, "the nodes step or send without end (" + std::to_string(turns) +
                              " turns, " + std::to_string(network_.counters().frame_events()) +
                              " frames)");
  }
}

HistoryCounts Cluster::counts() const {
  HistoryCounts out;
  out.frame_events = network_.counters().frame_events();
  out.gathered = network_.counters().gathered;
  out.changed = network_.counters().changed;
  out.delivered = observer_.delivered();
  for (const IncarnationFacts& who : observer_.facts().incarnations) {
    for (const OriginLane& lane : who.origin) out.submitted += lane.submissions.size();
  }
  out.views = observer_.facts().views.size() - 1;
  for (const auto& node : nodes_) out.turns += node->turns();
  out.virtual_time = now_;
  out.healed_after = healed_after_;
  out.hash = observer_.history_hash();
  out.coverage = observer_.coverage();
  out.replicated = replicated_.coverage;
  return out;
}

}  // namespace phalanx::sim
