// What the model's data planes do when they are told to, and what the observer holds against them.

#include <algorithm>

#include "tests/unit/membership_model/cluster.h"

namespace phalanx::membership::model {

void Cluster::answer_freeze(std::size_t i, ViewId attempt) {
  const BootId boot = nodes_[i].member.boot;
  at(now_ + delay(), [=, this] {
    Node& node = nodes_[i];
    if (!node.up || node.member.boot != boot) return;
    node.data.frozen = true;
    wire::Report report{attempt, node.data.view, {}};
    for (LaneId lane = 0; lane < options_.lanes; ++lane) {
      wire::LaneReport held;
      held.received = 1000 + 8 * dice_.below(100);
      held.delivered = held.stable = 1000;
      held.stream_end = 8 * dice_.below(100);
      report.lanes.push_back(held);
    }
    step(i, [=, this](Membership& m) { return m.on_frozen(report, now_); });
  });
}

void Cluster::answer_recover(std::size_t i, const wire::Plan& plan) {
  const BootId boot = nodes_[i].member.boot;
  at(now_ + delay(), [=, this] {
    Node& node = nodes_[i];
    if (!node.up || node.member.boot != boot || node.data.view >= plan.attempt) return;
    if (node.machine && node.machine->attempt() != plan.attempt) return;  // Overtaken by another.
    if (!node.data.frozen) violation("G2: recovery in lanes that are not frozen");
    for (const wire::TransitionalSet& set : plan.sets) {
      if (set.old_view != node.data.view) continue;
      for (const Member& member : set.members) {  // Tails come from each of them.
        const std::size_t j = member.node - 1;
        const bool here = nodes_[j].up && nodes_[j].member == member && links_[j][i];
        if (!here) return at(now_ + kMillisecond, [=, this] { answer_recover(i, plan); });
      }
    }
    node.data.recovered = plan.attempt;
    recovered_by_[plan.attempt].push_back(node.member);
    step(i, [=, this](Membership& m) { return m.on_recovered(plan.attempt, now_); });
  });
}

void Cluster::answer_install(std::size_t i, const wire::Plan& plan) {
  const BootId boot = nodes_[i].member.boot;
  at(now_ + delay(), [=, this] {
    Node& node = nodes_[i];
    if (!node.up || node.member.boot != boot) return;
    if (node.data.view != plan.attempt) {
      const std::vector<Member>& recovered = recovered_by_[plan.attempt];
      for (const Member& member : plan.members) {
        if (!std::count(recovered.begin(), recovered.end(), member)) {
          violation("G2: installed before all members had recovered");
        }
      }
      if (!node.data.frozen) violation("G2: installed over lanes that are not frozen");
      if (!std::count(plan.members.begin(), plan.members.end(), node.member)) {
        violation("G7: a view without self");
      }
      if (plan.attempt.sequence <= node.last_installed) violation("G7: the sequence does not grow");
      const auto [known, fresh] = plans_.try_emplace(plan.attempt, plan);
      if (!fresh && known->second != plan) violation("G7: one view id, two plans");
      node.last_installed = plan.attempt.sequence;
      ++node.installs;
      node.data.view = plan.attempt;
      node.data.members = plan.members;
      node.data.frozen = false;
      node.data.seen.clear();
    }
    step(i, [=, this](Membership& m) { return m.on_installed(plan.attempt, now_); });
  });
}

}  // namespace phalanx::membership::model
