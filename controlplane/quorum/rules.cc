#include "controlplane/quorum/rules.h"

#include <algorithm>
#include <array>
#include <bit>

#include "controlplane/quorum/orders.h"
#include "ipc/base/assert.h"

namespace phalanx::quorum {
namespace {

constexpr NodeSet bit(std::size_t index) noexcept { return NodeSet{1} << index; }

/// What the ballots come to, before anybody is counted.
struct Count {
  std::array<std::uint32_t, kNodesMax> votes{};  ///< Of those present, by configured index.
  NodeSet present = 0;
  NodeSet remembering = 0;  ///< Those of them that have been in a quorate view.
  std::uint32_t device_votes = 0;

  [[nodiscard]] std::uint32_t votes_in(NodeSet set) const noexcept {
    std::uint32_t sum = 0;
    for (set &= present; set != 0; set &= set - 1)
      sum += votes[static_cast<std::size_t>(std::countr_zero(set))];
    return sum;
  }
};

Count count(const QuorumConfig& config, std::span<const Member> members,
            std::span<const wire::Ballot> ballots) noexcept {
  Count out;
  for (std::size_t rank = 0; rank < members.size(); ++rank) {
    const auto voter = std::ranges::lower_bound(config.nodes, members[rank].node, {}, &Voter::node);
    if (voter == config.nodes.end() || voter->node != members[rank].node) continue;
    const auto index = static_cast<std::size_t>(voter - config.nodes.begin());
    const wire::Ballot& ballot = ballots[rank];
    out.present |= bit(index);
    if (!ballot.forgotten) out.remembering |= bit(index);
    out.votes[index] = voter->votes;
    out.device_votes = std::max(out.device_votes, ballot.device_votes);
  }
  out.device_votes = std::min(out.device_votes, config.device_votes);
  return out;
}

/// Whose votes count.
NodeSet electors(const QuorumConfig& config, const Count& ballots) noexcept {
  // Rule (wait for all): all configured nodes together need to remember nothing.
  if (ballots.present == everybody(config)) return ballots.present;
  // Rule (last man standing): who has forgotten which majority counts does not vote.
  if (config.last_man_standing) return ballots.remembering;
  // One member that has seen all speaks for those that come back.
  return ballots.remembering != 0 ? ballots.present : 0;
}

bool breaks_ties(const QuorumConfig& config, NodeSet electorate, NodeSet counted) noexcept {
  return (tie_breaker(config, electorate) & counted) != 0;
}

/// One majority that is needed, of `expected` votes.
Reason judge(const QuorumConfig& config, NodeSet electorate, NodeSet counted, std::uint32_t have,
             std::uint32_t expected) noexcept {
  if (config.two_node) return have >= 1 ? Reason::TwoNode : Reason::TooFewVotes;
  if (have >= expected / 2 + 1) return Reason::Majority;
  if (expected == 0 || have != expected - have) return Reason::TooFewVotes;
  if (config.tie_breaker == TieBreaker::Off) return Reason::TooFewVotes;
  return breaks_ties(config, electorate, counted) ? Reason::TieBreaker : Reason::LostTie;
}

/// Rule (last man standing): a view needs the majority of the newest electorate that anybody knows
/// to be settled, and of every later one that may have become one.
Reason judge_standing(const QuorumConfig& config, std::span<const Member> members,
                      std::span<const wire::Ballot> ballots, const Count& votes, Outcome& out) {
  const NodeSet all = everybody(config);
  const auto votes_counted = [&](std::size_t rank) {
    const auto voter = std::ranges::lower_bound(config.nodes, members[rank].node, {}, &Voter::node);
    return voter != config.nodes.end() && voter->node == members[rank].node &&
           (out.counted & bit(static_cast<std::size_t>(voter - config.nodes.begin()))) != 0 &&
           !ballots[rank].forgotten;
  };
  wire::Electorate settled;
  for (std::size_t rank = 0; rank < members.size(); ++rank) {
    if (votes_counted(rank)) settled = std::max(settled, ballots[rank].settled);
  }
  const auto judged = [&](const wire::Electorate& electorate) {
    const NodeSet nodes = electorate.nodes == 0 ? all : electorate.nodes & all;
    return judge(config, nodes, out.counted, votes.votes_in(out.counted & nodes),
                 votes_of(config, nodes));
  };
  const NodeSet nodes = settled.nodes == 0 ? all : settled.nodes & all;
  out.expected = votes_of(config, nodes);
  out.total = votes.votes_in(out.counted & nodes);
  Reason reason = judged(settled);
  for (std::size_t rank = 0; rank < members.size() && is_quorate(reason); ++rank) {
    if (!votes_counted(rank)) continue;
    for (const wire::Electorate& open : ballots[rank].open) {
      if (open < settled || open == settled) continue;
      const Reason one = judged(open);
      if (!is_quorate(one)) return one;
    }
  }
  return reason;
}

}  // namespace

NodeSet tie_breaker(const QuorumConfig& config, NodeSet electorate) noexcept {
  switch (config.tie_breaker) {
    case TieBreaker::Off:
      return 0;
    case TieBreaker::Lowest:
      return electorate & (~electorate + 1);
    case TieBreaker::Highest:
      return std::bit_floor(electorate);
    case TieBreaker::List:
      break;
  }
  for (const NodeId node : config.tie_breaker_nodes) {
    const auto voter = std::ranges::lower_bound(config.nodes, node, {}, &Voter::node);
    if (voter == config.nodes.end() || voter->node != node) continue;
    const NodeSet one = bit(static_cast<std::size_t>(voter - config.nodes.begin()));
    // Rule: the first that has a say at all decides, here or on the other side. A second choice
    // would decide on one side while the first decides on the other.
    if ((one & electorate) != 0) return one;
  }
  return 0;
}

std::string_view to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::NoView:
      return "no view";
    case Reason::Off:
      return "policy off";
    case Reason::Majority:
      return "majority";
    case Reason::TwoNode:
      return "two node";
    case Reason::TieBreaker:
      return "tie broken";
    case Reason::TooFewVotes:
      return "too few votes";
    case Reason::LostTie:
      return "tie lost";
    case Reason::WaitsForAll:
      return "waits for all";
  }
  return "corrupt";
}

NodeSet everybody(const QuorumConfig& config) noexcept {
  PHX_CHECK(!config.nodes.empty() && config.nodes.size() <= kNodesMax);
  return ~NodeSet{0} >> (64 - config.nodes.size());
}

std::uint32_t votes_of(const QuorumConfig& config, NodeSet nodes) noexcept {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < config.nodes.size(); ++i)
    if ((nodes & bit(i)) != 0) sum += config.nodes[i].votes;
  return sum;
}

std::uint32_t expected_votes(const QuorumConfig& config) noexcept {
  const std::uint32_t sum = votes_of(config, everybody(config)) + config.device_votes;
  return config.expected_votes == 0 ? sum : config.expected_votes;
}

const wire::Amendment* newest_amendment(const QuorumConfig& config,
                                        std::span<const wire::Ballot> ballots) {
  const wire::Amendment* newest = nullptr;
  for (const wire::Ballot& ballot : ballots) {
    if (ballot.amendment.votes.size() != config.nodes.size()) continue;
    if (newest == nullptr || *newest < ballot.amendment) newest = &ballot.amendment;
  }
  return newest;
}

Outcome judge_view(const QuorumConfig& config, std::span<const Member> members,
                   std::span<const wire::Ballot> ballots, const Terms& terms) {
  PHX_CHECK(members.size() == ballots.size());
  Count votes = count(config, members, ballots);
  Outcome out{.present = votes.present};
  out.counted = terms.ends_wait ? votes.present : electors(config, votes);
  const std::uint32_t device = out.counted == 0 ? 0 : votes.device_votes;
  out.total = votes.votes_in(out.counted) + device;
  out.highest_expected = expected_votes(config);
  out.expected = std::max(out.highest_expected, out.total);
  if (!config.enabled) {
    out.reason = Reason::Off;
  } else if (config.last_man_standing) {
    out.reason = judge_standing(config, members, ballots, votes, out);
  } else {
    out.reason = judge(config, everybody(config), out.counted, out.total, out.expected);
    if (terms.amendment != nullptr && is_quorate(out.reason)) {
      // Rule (votes changed at run time): a view needs the majority of the configured votes as
      // well. So two quorate views share a node, whoever knows of the change and whoever forgot it.
      std::ranges::copy(terms.amendment->votes, votes.votes.begin());
      out.total = votes.votes_in(out.counted) + device;
      out.highest_expected = terms.amendment->expected;
      out.expected = std::max(out.highest_expected, out.total);
      out.reason = judge(config, everybody(config), out.counted, out.total, out.expected);
    }
  }
  out.quorate = is_quorate(out.reason);
  out.needed = config.two_node ? 1 : out.expected / 2 + 1;
  // Those that did not count would have been enough.
  if (!out.quorate && out.counted != out.present &&
      votes.votes_in(out.present) + votes.device_votes >= out.needed) {
    out.reason = Reason::WaitsForAll;
  }
  return out;
}

Outcome decide(const QuorumConfig& config, std::span<const Member> members,
               std::span<const wire::Ballot> ballots) {
  if (const auto ruled = ruled_order(config, members, ballots);
      ruled && ruled->ruling.verdict == Verdict::Carried) {
    const wire::Amendment& amendment = ruled->ruling.amendment;
    const bool amends = !amendment.votes.empty();
    return judge_view(config, members, ballots,
                      {.amendment = amends ? &amendment : newest_amendment(config, ballots),
                       .ends_wait = !amends});
  }
  return judge_view(config, members, ballots, {.amendment = newest_amendment(config, ballots)});
}

}  // namespace phalanx::quorum
