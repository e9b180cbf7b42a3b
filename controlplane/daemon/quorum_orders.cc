#include "controlplane/daemon/quorum_orders.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "controlplane/quorum/from_config.h"

namespace phalanx::controlplane {
namespace {

using quorum::Verdict;
using Kind = wire::Order::Kind;

std::optional<std::uint32_t> number_at(const nlohmann::json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto number = found->get<std::uint64_t>();
  if (number > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

std::string names(quorum::NodeSet nodes, const config::Config& config) {
  std::string text;
  for (std::size_t i = 0; i < config.cluster.nodes.size(); ++i) {
    if ((nodes >> i & 1) == 0) continue;
    text += (text.empty() ? "{" : " ") + config.cluster.nodes[i].name;
  }
  return text.empty() ? "nobody" : text + "}";
}

/// Two parts that would both be quorate.
std::string split_text(quorum::NodeSet one, const config::Config& config) {
  const quorum::QuorumConfig votes = quorum::from_config(config);
  const quorum::NodeSet other = quorum::everybody(votes) & ~one;
  const bool is_majority = quorum::votes_of(votes, other) > quorum::expected_votes(votes) / 2;
  return names(one, config) + " would be quorate, while " + names(other, config) +
         (is_majority ? ", cut off and started anew, are quorate with the configured votes"
                      : ", cut off, could be by such an order of their own");
}

std::string limits_text() {
  return "a node may have 0 to " + std::to_string(quorum::kVotesMax) + " votes, and 1 to " +
         std::to_string(quorum::kExpectedMax) + " may be expected";
}

std::string remedy(const quorum::Ruling& ruling, const wire::Order& order,
                   const quorum::Quorum& quorum, const config::Config& config) {
  switch (ruling.verdict) {
    case Verdict::Splits:
      return split_text(ruling.split, config) +
             "; every part that is quorate must have a majority of the configured votes: take "
             "nodes that are gone for good out of cluster.nodes on all others";
    case Verdict::NeedsWord:
      return names(quorum.outcome().present, config) +
             " would be quorate, and so may be those of " +
             names(quorum::everybody(quorum.config()) & ~quorum.outcome().present, config) +
             " that live; see that they are down, then add --others-are-down";
    case Verdict::NotQuorate:
      return "phalanx quorum says what is missing";
    case Verdict::EndsQuorum:
      return "wait until more nodes are in the view";
    case Verdict::TooFewVotes:
      return "start more nodes";
    case Verdict::UnknownNode:
      return "nodes are those of cluster.nodes, by name or id";
    case Verdict::OutOfRange:
      return limits_text();
    case Verdict::PolicyOff:
    case Verdict::TwoNode:
    case Verdict::LastManStanding:
    case Verdict::NobodyWaits:
    case Verdict::Carried:
      break;
  }
  return order.kind == Kind::EndWait ? "there is nothing to do"
                                     : "votes are counted without two_node and last_man_standing";
}

}  // namespace

Expected<wire::Order, std::string> parse_quorum_order(const nlohmann::json& request,
                                                      const config::Config& config) {
  const auto found = request.find("order");
  const std::string name =
      found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
  if (name == "end_wait") {
    const auto word = request.find("others_are_down");
    if (word != request.end() && !word->is_boolean()) {
      return fail(std::string("others_are_down is true or false"));
    }
    const bool given = word != request.end() && word->get<bool>();
    return wire::Order{.kind = Kind::EndWait, .index = 0, .number = given ? 1U : 0U};
  }
  if (name != "votes" && name != "expected") {
    return fail(std::string("unknown order; known: votes expected end_wait"));
  }
  const auto number = number_at(request, "number");
  if (!number) return fail("number is missing or no number; " + limits_text());
  if (name == "expected") return wire::Order{.kind = Kind::Expected, .index = 0, .number = *number};
  const auto node = number_at(request, "node");
  const auto& nodes = config.cluster.nodes;
  const auto entry = std::find_if(nodes.begin(), nodes.end(), [&](const config::ClusterNode& one) {
    return node && one.id == *node;
  });
  if (entry == nodes.end()) return fail(std::string("node is not the id of a configured node"));
  return wire::Order{.kind = Kind::Votes,
                     .index = static_cast<std::uint8_t>(entry - nodes.begin()),
                     .number = *number};
}

std::string refusal_text(const quorum::Ruling& ruling, const wire::Order& order,
                         const quorum::Quorum& quorum, const config::Config& config) {
  return std::string(to_string(ruling.verdict)) + ": " + remedy(ruling, order, quorum, config);
}

}  // namespace phalanx::controlplane
