#include "controlplane/quorum/orders.h"

#include <algorithm>
#include <vector>

namespace phalanx::quorum {
namespace {

using Kind = wire::Order::Kind;

/// The votes in force, as an amendment to start from.
wire::Amendment in_force(const QuorumConfig& config, const wire::Amendment* amendment) {
  if (amendment != nullptr) return {0, amendment->expected, amendment->votes};
  wire::Amendment out{.expected = expected_votes(config)};
  for (const Voter& voter : config.nodes) {
    out.votes.push_back(static_cast<std::uint16_t>(std::min(voter.votes, kVotesMax)));
  }
  return out;
}

Ruling rule_on_votes(const QuorumConfig& config, std::span<const Member> members,
                     std::span<const wire::Ballot> ballots, const wire::Order& order) {
  const wire::Amendment* before = newest_amendment(config, ballots);
  wire::Amendment after = in_force(config, before);
  if (order.kind == Kind::Votes) {
    if (order.index >= config.nodes.size()) return {.verdict = Verdict::UnknownNode};
    if (order.number > kVotesMax) return {.verdict = Verdict::OutOfRange};
    after.votes[order.index] = static_cast<std::uint16_t>(order.number);
    // Votes given are expected as well; votes taken still are, until an order says otherwise.
    std::uint32_t sum = config.device_votes;
    for (const std::uint16_t votes : after.votes) sum += votes;
    after.expected = std::max(after.expected, sum);
  } else {
    if (order.number == 0 || order.number > kExpectedMax) return {.verdict = Verdict::OutOfRange};
    after.expected = order.number;
  }
  if (!judge_view(config, members, ballots, {.amendment = before}).quorate) {
    return {.verdict = Verdict::NotQuorate};
  }
  if (const NodeSet split = split_by(config, after); split != 0) {
    return {.verdict = Verdict::Splits, .amendment = {}, .split = split};
  }
  if (!judge_view(config, members, ballots, {.amendment = &after}).quorate) {
    return {.verdict = Verdict::EndsQuorum};
  }
  return {.verdict = Verdict::Carried, .amendment = std::move(after)};
}

Ruling rule_on_wait(const QuorumConfig& config, std::span<const Member> members,
                    std::span<const wire::Ballot> ballots, const wire::Order& order) {
  const Terms terms{.amendment = newest_amendment(config, ballots), .ends_wait = true};
  if (std::ranges::none_of(ballots, &wire::Ballot::forgotten) ||
      judge_view(config, members, ballots, {.amendment = terms.amendment}).quorate) {
    return {.verdict = Verdict::NobodyWaits};
  }
  if (!judge_view(config, members, ballots, terms).quorate) {
    return {.verdict = Verdict::TooFewVotes};
  }
  // Rule: only these two need the wait to be safe. Their others may be quorate without this side.
  const bool needs_word = config.two_node || config.last_man_standing;
  return {.verdict = needs_word && order.number != 1 ? Verdict::NeedsWord : Verdict::Carried};
}

/// The most votes by the amendment that nodes of `free` can have whose configured votes come to
/// `room` at most, and those nodes: a knapsack.
struct Best {
  std::uint32_t votes = 0;
  NodeSet nodes = 0;
};
Best most_votes(const QuorumConfig& config, const wire::Amendment& amendment, NodeSet free,
                std::uint32_t room) {
  room = std::min(room, votes_of(config, free));
  std::vector<Best> best(room + 1);
  for (std::size_t i = 0; i < config.nodes.size(); ++i) {
    if ((free >> i & 1) == 0) continue;
    const std::uint32_t weight = config.nodes[i].votes;
    for (std::uint32_t at = room + 1; at-- > weight;) {
      const Best with{best[at - weight].votes + amendment.votes[i],
                      best[at - weight].nodes | NodeSet{1} << i};
      if (with.votes > best[at].votes) best[at] = with;
    }
  }
  return best[room];
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::Carried:
      return "carried out";
    case Verdict::PolicyOff:
      return "quorum.policy is off: every view is quorate";
    case Verdict::TwoNode:
      return "with quorum.two_node votes are not counted";
    case Verdict::LastManStanding:
      return "with quorum.last_man_standing the votes follow the last quorate view";
    case Verdict::UnknownNode:
      return "there is no such node";
    case Verdict::OutOfRange:
      return "the number is out of range";
    case Verdict::NotQuorate:
      return "this side is not quorate: the other one may be changing votes as well";
    case Verdict::EndsQuorum:
      return "this very view would not be quorate any more";
    case Verdict::Splits:
      return "it could split the cluster";
    case Verdict::NobodyWaits:
      return "nobody waits for all";
    case Verdict::NeedsWord:
      return "it could split the cluster, unless the nodes that are away are down";
    case Verdict::TooFewVotes:
      return "it would not be quorate without the wait either: too few votes";
  }
  return "corrupt";
}

Ruling rule_on(const QuorumConfig& config, std::span<const Member> members,
               std::span<const wire::Ballot> ballots, const wire::Order& order) {
  if (!config.enabled) return {.verdict = Verdict::PolicyOff};
  if (order.kind == Kind::EndWait) return rule_on_wait(config, members, ballots, order);
  if (config.two_node) return {.verdict = Verdict::TwoNode};
  if (config.last_man_standing) return {.verdict = Verdict::LastManStanding};
  return rule_on_votes(config, members, ballots, order);
}

std::optional<Ruled> ruled_order(const QuorumConfig& config, std::span<const Member> members,
                                 std::span<const wire::Ballot> ballots) {
  const auto found = std::ranges::find_if(
      ballots, [](const wire::Ballot& ballot) { return ballot.order.kind != Kind::None; });
  if (found == ballots.end()) return std::nullopt;
  return Ruled{.rank = static_cast<std::size_t>(found - ballots.begin()),
               .ruling = rule_on(config, members, ballots, found->order)};
}

// Two cases: with the node that breaks ties half of the votes is enough, by the amendment as by the
// configuration; without it more than half is. Each with the device's votes and without.
NodeSet split_by(const QuorumConfig& config, const wire::Amendment& amendment) {
  const std::uint32_t expected = expected_votes(config);
  const NodeSet breaker = tie_breaker(config, everybody(config));
  for (const std::uint32_t device : {0U, config.device_votes}) {
    for (const bool with_breaker : {false, true}) {
      if (with_breaker && breaker == 0) continue;
      std::uint32_t had = device;
      std::uint32_t has = device;
      if (with_breaker) {
        const auto index = static_cast<std::size_t>(__builtin_ctzll(breaker));
        had += config.nodes[index].votes;
        has += amendment.votes[index];
      }
      // Configured votes that are not quite enough.
      const std::uint32_t lost = with_breaker ? (expected - 1) / 2 : expected / 2;
      if (had > lost) continue;
      const Best best = most_votes(config, amendment, everybody(config) & ~breaker, lost - had);
      const std::uint32_t total = has + best.votes;
      const std::uint32_t wanted = std::max(amendment.expected, total);
      if (with_breaker ? 2 * total >= wanted : 2 * total > wanted) {
        return best.nodes | (with_breaker ? breaker : 0);
      }
    }
  }
  return 0;
}

}  // namespace phalanx::quorum
