#include "controlplane/daemon/quorum_status.h"

#include <nlohmann/json.hpp>

namespace phalanx::controlplane {
namespace {

using nlohmann::json;

/// It is asked once a second, by those to whom it matters.
constexpr TimeNs kDeviceSilence = 3 * kSecond;

/// What is on, in the words of the configuration.
json flags_json(const quorum::QuorumConfig& config) {
  json flags = json::array();
  if (config.two_node) flags.push_back("two_node");
  if (config.wait_for_all) flags.push_back("wait_for_all");
  if (config.last_man_standing) flags.push_back("last_man_standing");
  if (config.tie_breaker != quorum::TieBreaker::Off) flags.push_back("auto_tie_breaker");
  return flags;
}

json votes_json(const config::Config& config, const quorum::Quorum& quorum) {
  json votes = json::array();
  const quorum::Outcome& outcome = quorum.outcome();
  for (std::size_t i = 0; i < config.cluster.nodes.size(); ++i) {
    const config::ClusterNode& node = config.cluster.nodes[i];
    votes.push_back({{"node", node.id},
                     {"name", node.name},
                     {"votes", quorum.votes(node.id)},
                     {"in_view", (outcome.present >> i & 1) != 0},
                     {"counted", (outcome.counted >> i & 1) != 0}});
  }
  return votes;
}

/// null: there is none.
json device_json(const config::Config& config, const quorum::Quorum& quorum, TimeNs heard,
                 TimeNs now) {
  if (!config.quorum.device) return {};
  const quorum::Outcome& outcome = quorum.outcome();
  std::uint32_t of_nodes = 0;
  for (std::size_t i = 0; i < config.cluster.nodes.size(); ++i) {
    if ((outcome.counted >> i & 1) != 0) of_nodes += quorum.votes(config.cluster.nodes[i].id);
  }
  return {{"address", config::to_string(*config.quorum.device)},
          {"votes", config.quorum.device_votes},
          {"answers", heard != 0 && now < heard + kDeviceSilence},
          {"counted", outcome.total > of_nodes}};
}

}  // namespace

json quorum_json(const config::Config& config, const quorum::Quorum& quorum, TimeNs device_heard,
                 TimeNs now) {
  const quorum::Outcome& outcome = quorum.outcome();
  return {{"view_sequence", quorum.view().sequence},
          {"quorate", outcome.quorate},
          {"reason", to_string(outcome.reason)},
          {"policy", quorum.config().enabled ? "majority" : "off"},
          {"total", outcome.total},
          {"needed", outcome.needed},
          {"expected", outcome.expected},
          {"highest_expected", outcome.highest_expected},
          {"revision", quorum.amendment().revision},
          {"flags", flags_json(quorum.config())},
          {"waiting", quorum.forgotten()},
          {"device", device_json(config, quorum, device_heard, now)},
          {"votes", votes_json(config, quorum)}};
}

}  // namespace phalanx::controlplane
