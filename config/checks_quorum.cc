#include <algorithm>
#include <optional>

#include "config/draft.h"
#include "config/value.h"

namespace phalanx::config {
namespace {

/// What the device calls itself in its datagrams: wire::kDeviceNode.
constexpr NodeId kDeviceId = 0xFFFFFFFF;

/// Two parts of a cluster that would both be quorate.
struct Split {
  std::string one;
  std::string other;

  [[nodiscard]] std::string text() const {
    return ": {" + one + "} and {" + other + "}, cut off from each other, would both be quorate";
  }
};

/// With `needed` votes enough. Smallest first, so that much is left for the other side.
std::optional<Split> split_of(std::vector<ClusterNode> nodes, std::uint32_t needed) {
  std::ranges::stable_sort(nodes, {}, &ClusterNode::votes);
  Split split;
  std::uint32_t one = 0;
  std::uint32_t other = 0;
  for (const ClusterNode& node : nodes) {
    const bool enough = one >= needed;
    std::string& side = enough ? split.other : split.one;
    side += (side.empty() ? "" : " ") + node.name;
    (enough ? other : one) += node.votes;
  }
  if (one < needed || other < needed) return std::nullopt;
  return split;
}

std::uint32_t sum_of_votes(const Config& config) {
  std::uint32_t sum = 0;
  for (const ClusterNode& node : config.cluster.nodes) sum += node.votes;
  return sum;
}

void check_expected(Draft& draft, std::uint32_t sum) {
  const QuorumSection& quorum = draft.config.quorum;
  const Place place = draft.place({"quorum.expected_votes"});
  const std::uint32_t expected = quorum.expected_votes;
  if (expected == 0) return;
  if (quorum.last_man_standing) {
    draft.error(place, "quorum.expected_votes means nothing with last_man_standing", "0",
                "take it out: the votes of the last quorate view are expected");
  }
  if (expected >= sum) return;
  const std::string what = "quorum.expected_votes = " + std::to_string(expected) +
                           " is lower than the sum of all votes, " + std::to_string(sum);
  const auto split = split_of(draft.config.cluster.nodes, expected / 2 + 1);
  draft.error(place, what + (split ? split->text() : ""),
              "0 (the sum), or at least " + std::to_string(sum), "take it out, or raise it");
}

void check_two_node(Draft& draft) {
  const QuorumSection& quorum = draft.config.quorum;
  if (!quorum.two_node) return;
  const auto& nodes = draft.config.cluster.nodes;
  const bool pair =
      nodes.size() == 2 && std::ranges::all_of(nodes, [](const auto& n) { return n.votes == 1; });
  if (!pair) {
    const auto split = split_of(nodes, 1);
    draft.error(draft.place({"quorum.two_node"}),
                "quorum.two_node is for two nodes with one vote each" +
                    (split && nodes.size() > 2 ? split->text() : ""),
                "off, or two entries in cluster.nodes without `votes`",
                "take it out: the majority of more nodes needs no such help");
    return;
  }
  if (quorum.wait_for_all == WaitForAll::Off) {
    draft.error(draft.place({"quorum.wait_for_all"}),
                "quorum.two_node without wait_for_all" +
                    Split{nodes[0].name, nodes[1].name}.text() + " when they start",
                "auto or on", "take wait_for_all out");
  }
  if (quorum.tie_breaker != TieBreaker::Off) {
    draft.error(draft.place({"quorum.auto_tie_breaker"}),
                "quorum.two_node and auto_tie_breaker exclude each other: with one vote enough {" +
                    nodes[0].name + "} and {" + nodes[1].name + "} are quorate, and no tie is left",
                "one of the two", "without fencing take two_node out");
  }
}

void check_tie_breaker(Draft& draft) {
  const QuorumSection& quorum = draft.config.quorum;
  const bool list = quorum.tie_breaker == TieBreaker::List;
  const Place place = draft.place({"quorum.tie_breaker_nodes", "quorum.auto_tie_breaker"});
  if (list == quorum.tie_breaker_nodes.empty()) {
    draft.error(place,
                list ? "quorum.auto_tie_breaker = \"list\" without quorum.tie_breaker_nodes"
                     : "quorum.tie_breaker_nodes without quorum.auto_tie_breaker = \"list\"",
                "both or none", "name the node that decides, as in tie_breaker_nodes = [1]");
  }
  for (const std::uint32_t id : quorum.tie_breaker_nodes) {
    const auto& nodes = draft.config.cluster.nodes;
    if (std::ranges::find(nodes, id, &ClusterNode::id) != nodes.end()) continue;
    draft.error(
        place,
        "quorum.tie_breaker_nodes holds " + std::to_string(id) + ", which is not in cluster.nodes",
        "ids of configured nodes", "take it out, or mend it");
  }
}

void check_device(Draft& draft, std::uint32_t sum) {
  const QuorumSection& quorum = draft.config.quorum;
  if (!quorum.device) return;
  const Place place = draft.place({"quorum.device.address"});
  if (quorum.two_node || quorum.last_man_standing) {
    const std::string other = quorum.two_node ? "two_node" : "last_man_standing";
    draft.error(place, "quorum.device and quorum." + other + " exclude each other",
                "one of the two", "take " + other + " out: the device decides who goes on");
  }
  if (quorum.device_votes >= sum && sum != 0) {
    draft.error(draft.place({"quorum.device.votes", "quorum.device.address"}),
                "quorum.device.votes = " + std::to_string(quorum.device_votes) +
                    ", and all nodes have " + std::to_string(sum) +
                    " together: without the device nobody would ever be quorate",
                "1 to " + std::to_string(sum - 1), "lower quorum.device.votes");
  }
  if (is_wildcard(*quorum.device) || is_multicast(*quorum.device)) {
    draft.error(place,
                "quorum.device.address = \"" + to_string(*quorum.device) + "\" is no one host's",
                "an address that the nodes reach", "give that of the arbiter's host");
  }
  for (const ClusterNode& node : draft.config.cluster.nodes) {
    if (node.id == kDeviceId) {
      draft.error(place, "node id " + std::to_string(kDeviceId) + " beside quorum.device",
                  "1 to " + std::to_string(kDeviceId - 1), "the device has this id: take another");
    }
    if (node.management) continue;
    draft.error(place, "quorum.device without a management address of " + node.name,
                "a management address for each node",
                "give its cluster.nodes entry one: the device is asked from there");
    return;
  }
}

}  // namespace

void check_quorum(Draft& draft) {
  const QuorumSection& quorum = draft.config.quorum;
  const std::uint32_t sum = sum_of_votes(draft.config);
  const std::uint32_t device = quorum.device ? quorum.device_votes : 0;
  if (draft.config.cluster.nodes.empty()) return;
  if (sum == 0) {
    draft.error(draft.place({"cluster.nodes"}), "no node has a vote", "at least one vote",
                "take `votes = 0` out of some entries of cluster.nodes");
  }
  check_expected(draft, sum + device);
  check_device(draft, sum);
  check_two_node(draft);
  check_tie_breaker(draft);
  if (quorum.last_man_standing && quorum.wait_for_all == WaitForAll::Off) {
    draft.error(draft.place({"quorum.wait_for_all"}),
                "quorum.last_man_standing without wait_for_all can split the cluster: of five "
                "nodes {n1 n2 n3} are left; {n1 n2} go on; n3 restarts, has forgotten it, and is "
                "quorate with {n4 n5}",
                "auto or on", "take wait_for_all out");
  }
  if (quorum.last_man_standing && quorum.two_node) {
    draft.error(draft.place({"quorum.last_man_standing"}),
                "quorum.last_man_standing and two_node exclude each other", "one of the two",
                "take last_man_standing out");
  }
}

}  // namespace phalanx::config
