#include "controlplane/cli/what_if.h"

#include <algorithm>

#include "controlplane/quorum/from_config.h"
#include "controlplane/quorum/quorum.h"

namespace phalanx::cli {
namespace {

Error usage(const std::string& observed) {
  return {.code = ExitCode::Usage,
          .attempted = "cannot read --what-if",
          .observed = observed,
          .remedy = "name configured nodes, as in n1,n3-down or n1,n3-up"};
}

/// Takes "-down" or "-up" off the end.
bool take_down(std::string& text) {
  for (const auto& [suffix, down] : {std::pair{"-down", true}, std::pair{"-up", false}}) {
    if (!text.ends_with(suffix)) continue;
    text.resize(text.size() - std::string(suffix).size());
    return down;
  }
  return false;
}

wire::Plan view_of(const std::vector<NodeId>& nodes, std::vector<quorum::Quorum>& all,
                   std::uint64_t sequence, TimeNs now) {
  wire::Plan plan{.attempt = {sequence, nodes.front(), {}}};
  for (quorum::Quorum& one : all) {
    const NodeId node = one.config().nodes[static_cast<std::size_t>(&one - all.data())].node;
    if (std::ranges::find(nodes, node) == nodes.end()) continue;
    plan.members.push_back({node, {}});
    plan.ballots.push_back(one.ballot(now));
  }
  return plan;
}

}  // namespace

Expected<WhatIf, Error> parse_what_if(const std::string& text, const config::Config& config) {
  std::string list = text;
  const bool down = take_down(list);
  std::vector<NodeId> named;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    std::string name = list.substr(at, end - at);
    at = end + 1;
    const auto& nodes = config.cluster.nodes;
    const auto found = std::ranges::find(nodes, name, &config::ClusterNode::name);
    if (found == nodes.end()) return fail(usage("there is no node \"" + name + "\""));
    named.push_back(found->id);
  }
  WhatIf out;
  for (const config::ClusterNode& node : config.cluster.nodes) {
    const bool is_named = std::ranges::find(named, node.id) != named.end();
    (is_named != down ? out.up : out.down).push_back(node.id);
  }
  return out;
}

quorum::Outcome outcome_of(const std::vector<NodeId>& nodes, const config::Config& config) {
  if (nodes.empty()) return {};
  const quorum::QuorumConfig votes = quorum::from_config(config);
  std::vector<quorum::Quorum> all;
  std::vector<NodeId> everybody;
  for (const quorum::Voter& voter : votes.nodes) {
    all.emplace_back(votes, voter.node);
    everybody.push_back(voter.node);
  }
  const wire::Plan whole = view_of(everybody, all, 1, kSecond);
  for (quorum::Quorum& one : all) (void)one.on_install(whole, kSecond);
  const TimeNs later = 2 * kSecond + votes.last_man_standing_window;
  const wire::Plan rest = view_of(nodes, all, 2, later);
  return quorum::decide(votes, rest.members, rest.ballots);
}

}  // namespace phalanx::cli
