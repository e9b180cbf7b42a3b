#pragma once

#include "config/config.h"
#include "controlplane/quorum/rules.h"

namespace phalanx::quorum {

/// The one place where the configuration file meets the core.
[[nodiscard]] inline QuorumConfig from_config(const config::Config& config) {
  const config::QuorumSection& from = config.quorum;
  QuorumConfig out{.enabled = from.enabled,
                   .nodes = {},
                   .expected_votes = from.expected_votes,
                   .device_votes = from.device ? from.device_votes : 0,
                   .two_node = from.two_node,
                   .wait_for_all = from.enabled && from.waits_for_all(),
                   .last_man_standing = from.last_man_standing,
                   .last_man_standing_window = from.last_man_standing_window,
                   .tie_breaker = TieBreaker::Off,
                   .tie_breaker_nodes = {}};
  switch (from.tie_breaker) {
    case config::TieBreaker::Off:
      break;
    case config::TieBreaker::Lowest:
      out.tie_breaker = TieBreaker::Lowest;
      break;
    case config::TieBreaker::Highest:
      out.tie_breaker = TieBreaker::Highest;
      break;
    case config::TieBreaker::List:
      out.tie_breaker = TieBreaker::List;
      out.tie_breaker_nodes = from.tie_breaker_nodes;
      break;
  }
  for (const config::ClusterNode& node : config.cluster.nodes) {
    out.nodes.push_back({node.id, node.votes});
  }
  return out;
}

}  // namespace phalanx::quorum
