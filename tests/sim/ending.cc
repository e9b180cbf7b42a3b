// How a history ends: what must come about once the faults are over.

#include <algorithm>

#include "tests/sim/checkers/violation.h"
#include "tests/sim/cluster.h"

namespace phalanx::sim {
namespace {

std::string describe_lanes(const DataPlane& data) {
  std::string out;
  for (LaneId lane = 0; lane < data.load().lanes(); ++lane) {
    const core::LaneStatus status = data.core().lane_status(lane);
    out += "lane " + std::to_string(lane) + " orderer n" + std::to_string(status.orderer) +
           " received " + std::to_string(status.received) + " limit " +
           std::to_string(status.limit) + " stable " + std::to_string(status.stable) +
           " delivered " + std::to_string(status.delivered) + " stream " +
           std::to_string(status.stream_end) + (status.barrier ? "" : " no barrier") +
           (status.poisoned ? " poisoned" : "") + " next " +
           std::to_string(data.load().next_bytes(lane)) + " B; ";
  }
  return out;
}

/// Clients may do what they like: that is no fault.
bool nothing_fails(const Scenario& s) {
  const Scenario calm;
  const transport::LinkFaults& f = s.faults;
  const bool links = !f.cut && f.drop_ppm == 0 && f.duplicate_ppm == 0 && f.corrupt_ppm == 0 &&
                     f.reorder_ppm == 0 && f.forge_ppm == 0 && f.delay <= calm.faults.delay &&
                     f.jitter <= calm.faults.jitter;
  return links && s.drift_ppm == 0 && s.rx_ring_frames == 0 && s.plane_delay <= calm.plane_delay &&
         std::ranges::all_of(s.steps, [](const Step& step) {
           return step.kind == Step::Kind::Burst || step.kind == Step::Kind::PauseReaders;
         });
}

}  // namespace

void Cluster::check_innocence() const {
  if (!nothing_fails(scenario_)) return;
  const std::vector<ViewFacts>& views = observer_.facts().views;
  for (std::size_t i = 1; i + 1 < views.size(); ++i) {
    if (views[i].members.size() == nodes_.size()) Liveness::accused(to_string(views[i + 1].id));
  }
}

// Links that are cut in the end leave a graph; the views must be cliques of it that every member
// holds, and no two of them may be able to go on as one.

void Cluster::run_until_settled() {
  healed_ = true;
  trace_.line(0, "step", "settle: cut links stay, no more faults, everything starts");
  calm_links(/*mend_cuts=*/false);
  start_all();
  const TimeNs began = now_;
  for (std::string why = unsettled(); !why.empty(); why = unsettled()) {
    if (now_ - began >= scenario_.heal_limit) Liveness::unsettled(now_ - began, why);
    run_until(now_ + 5 * kMillisecond);
  }
}

bool Cluster::linked(NodeId a, NodeId b) {
  return !network_.link(a, b).cut && !network_.link(b, a).cut;
}

std::string Cluster::unsettled() {
  const auto view_of = [&](NodeId node) { return nodes_[node - 1]->data().core().view(); };
  for (const auto& node : nodes_) {
    const std::string name = "n" + std::to_string(node->id());
    if (!node->up() || !node->control_up()) return name + " is down";
    if (view_of(node->id()).is_none()) return name + " has no view";
    if (node->data().core().frozen()) return name + " is frozen";
  }
  for (const auto& node : nodes_) {
    const std::string name = "n" + std::to_string(node->id());
    for (const Member& member : node->data().core().members()) {
      const std::string other = name + "'s view has n" + std::to_string(member.node);
      if (member != nodes_[member.node - 1]->data().self()) return other + ", which is dead";
      if (view_of(member.node) != view_of(node->id())) return other + ", which is in another view";
      if (member.node != node->id() && !linked(member.node, node->id()))
        return other + ", which it cannot hear or reach";
    }
  }
  for (NodeId a = 1; a <= nodes_.size(); ++a) {
    for (NodeId b = 1; b < a; ++b) {
      if (view_of(a) == view_of(b)) continue;
      bool one = true;
      for (const Member& mine : nodes_[a - 1]->data().core().members()) {
        for (const Member& theirs : nodes_[b - 1]->data().core().members())
          one = one && linked(mine.node, theirs.node);
      }
      if (one) {
        return "the views of n" + std::to_string(a) + " and n" + std::to_string(b) +
               " stay apart, and all their members hear each other";
      }
    }
  }
  return {};
}

void Cluster::run_until_others_go_on() {
  const auto mute = [](const auto& node) { return node->is_mute(); };
  if (std::none_of(nodes_.begin(), nodes_.end(), mute)) return;
  const TimeNs healed_at = now_;
  for (std::string why = others_wait(); !why.empty(); why = others_wait()) {
    if (now_ - healed_at >= scenario_.heal_limit) Liveness::stuck(now_ - healed_at, why);
    run_until(now_ + 5 * kMillisecond);
  }
  for (const auto& node : nodes_) node->mute(0);
}

bool Cluster::has_mute_member(const core::Core& core) const {
  return std::ranges::any_of(core.members(), [&](const Member& member) {
    Node& node = *nodes_[member.node - 1];
    return node.is_mute() && node.up() && node.data().self() == member &&
           node.data().core().view() == core.view();
  });
}

std::string Cluster::others_wait() const {
  const core::Core* first = nullptr;
  for (const auto& node : nodes_) {
    if (node->is_mute()) continue;
    const std::string name = "n" + std::to_string(node->id());
    if (!node->up() || !node->control_up()) return name + " is down";
    const core::Core& core = node->data().core();
    const bool whole = !core.view().is_none() && !core.frozen();
    // It may lead a view of its own: whose members go on, and leave it for a superset only.
    if (whole && has_mute_member(core)) continue;
    if (first == nullptr) first = &core;
    if (!whole || core.view() != first->view()) {
      return name + " waits for a mute node in view " + to_string(core.view()) + ", attempt " +
             to_string(node->control().machine().attempt());
    }
  }
  return {};
}

void Cluster::run_until_quiet() {
  const TimeNs healed_at = now_;
  for (;;) {
    const std::string why = unfinished();
    if (why.empty()) break;
    if (now_ - healed_at >= scenario_.heal_limit) {
      for (const auto& node : nodes_) {
        if (node->up())
          trace_.line(node->id(), "state", "%s", describe_lanes(node->data()).c_str());
      }
      Liveness::stuck(now_ - healed_at, why);
    }
    run_until(now_ + 5 * kMillisecond);
  }
  healed_after_ = now_ - healed_at;
  for (const auto& node : nodes_) node->data().check_tape(now_);
}

std::string Cluster::unfinished() {
  const Facts& facts = observer_.facts();
  const ViewId& view = nodes_[0]->up() ? nodes_[0]->data().core().view() : ViewId{};
  for (const auto& node : nodes_) {
    const std::string name = "n" + std::to_string(node->id());
    if (!node->up() || !node->control_up()) return name + " is down";
    const core::Core& core = node->data().core();
    if (core.view() != view || core.members().size() != nodes_.size() || core.frozen()) {
      return name + " has view " + to_string(core.view()) + " of " +
             std::to_string(core.members().size()) + (core.frozen() ? ", frozen" : "") +
             ", state " + std::string(to_string(node->control().machine().state())) + ", attempt " +
             to_string(node->control().machine().attempt()) + "; n1 has " + to_string(view);
    }
    if (node->keys().next != 0 || node->keys().lowest != nodes_[0]->keys().lowest) {
      return name + " has not given up cluster key " + std::to_string(node->keys().lowest);
    }
    if (const std::size_t waiting = node->data().load().waiting(); waiting != 0) {
      return name + " cannot take " + std::to_string(waiting) +
             " records from its clients: " + describe_lanes(node->data());
    }
  }
  const ViewIndex index = facts.find_view(view);
  for (const auto& node : nodes_) {
    const IncarnationFacts& me = facts.incarnations[node->data().incarnation()];
    const IncarnationFacts& first = facts.incarnations[nodes_[0]->data().incarnation()];
    for (LaneId lane = 0; lane < scenario_.lanes; ++lane) {
      const std::string where = "n" + std::to_string(node->id()) + " lane " + std::to_string(lane);
      if (me.readers[lane].view != index) return where + " has not delivered the view";
      if (me.readers[lane].barrier_missing != 0) return where + " misses group states";
      if (me.readers[lane].index != first.readers[lane].index)
        return where + " has delivered less or more than n1";
      const Incarnation who = node->data().incarnation();
      const std::size_t next =
          who < me.readers[lane].cursors.size() ? me.readers[lane].cursors[who].next : 0;
      if (next != me.origin[lane].submissions.size())
        return where + " has not delivered its own records";
    }
    if (ReplicatedApp* app = node->app(); app != nullptr) {
      if (std::string why = app->unfinished(); !why.empty()) return why;
    }
  }
  return {};
}

}  // namespace phalanx::sim
