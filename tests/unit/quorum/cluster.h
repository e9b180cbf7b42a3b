#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "controlplane/quorum/quorum.h"

namespace phalanx::quorum::testing {

inline Member member(NodeId node) { return {node, BootId{{static_cast<std::uint8_t>(node)}}}; }

/// Nodes 1 to `count` with one vote each.
inline QuorumConfig equal_votes(NodeId count) {
  QuorumConfig config;
  for (NodeId node = 1; node <= count; ++node) config.nodes.push_back({node, 1});
  return config;
}

/// Nodes of one configuration that install views together. Nothing fails but what a test says.
class Cluster {
 public:
  explicit Cluster(QuorumConfig config) : config_(std::move(config)) {
    for (const Voter& voter : config_.nodes) restart(voter.node);
  }

  Quorum& operator[](NodeId node) { return nodes_.at(node); }

  /// The data plane of that node starts anew.
  void restart(NodeId node) { nodes_.insert_or_assign(node, Quorum(config_, node)); }

  /// All their ballots, in the plan of a new attempt.
  wire::Plan plan(const std::vector<NodeId>& nodes) {
    wire::Plan plan{.attempt = {++sequence_, nodes.front(), member(nodes.front()).boot}};
    for (const NodeId node : nodes) {
      plan.members.push_back(member(node));
      plan.ballots.push_back(nodes_.at(node).ballot(now_));
    }
    return plan;
  }

  /// A view of these nodes, installed by all of them; what they all say of it.
  Outcome install(const std::vector<NodeId>& nodes) {
    const wire::Plan plan = this->plan(nodes);
    for (const NodeId node : nodes) nodes_.at(node).on_plan(plan);
    Outcome outcome;
    for (const NodeId node : nodes) outcome = nodes_.at(node).on_install(plan, now_);
    return outcome;
  }

  bool quorate(const std::vector<NodeId>& nodes) { return install(nodes).quorate; }
  void wait(TimeNs time) { now_ += time; }
  [[nodiscard]] TimeNs now() const { return now_; }

 private:
  QuorumConfig config_;
  std::map<NodeId, Quorum> nodes_;
  std::uint64_t sequence_ = 0;
  TimeNs now_ = kSecond;
};

}  // namespace phalanx::quorum::testing
