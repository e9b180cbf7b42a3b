#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "controlplane/quorum/rules.h"

namespace phalanx::quorum {

inline constexpr std::uint32_t kVotesMax = 1000;          ///< Of one node.
inline constexpr std::uint32_t kExpectedMax = 1'000'000;  ///< Of all.

/// What an order at run time comes to.
enum class Verdict : std::uint8_t {
  Carried,    ///< It holds from this view on.
  PolicyOff,  ///< Every view is quorate.
  TwoNode,    ///< With two_node nobody's votes are counted.
  LastManStanding,
  UnknownNode,
  OutOfRange,  ///< Above kVotesMax or kExpectedMax, or no expected votes at all.
  NotQuorate,  ///< Only a quorate view may change votes.
  EndsQuorum,  ///< This very view would not be quorate any more.
  Splits,      ///< Two parts of the cluster could be quorate at one time: `split` is one of them.
  NobodyWaits,
  NeedsWord,    ///< Ending the wait is safe only if the others are down: the operator's to say.
  TooFewVotes,  ///< Nobody had to wait, and it would not be quorate.
};
/// For an operator: what is observed, without names of nodes.
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

struct Ruling {
  Verdict verdict = Verdict::NobodyWaits;
  wire::Amendment amendment;  ///< The votes that it makes, without a revision. Empty for EndWait.
  NodeSet split = 0;          ///< With Splits: would be quorate, and so would the rest.
  friend bool operator==(const Ruling&, const Ruling&) = default;
};

/// What an order comes to in a view of these members with these ballots.
[[nodiscard]] Ruling rule_on(const QuorumConfig& config, std::span<const Member> members,
                             std::span<const wire::Ballot> ballots, const wire::Order& order);

/// The one order that a view of these ballots rules on: of the lowest member that has one.
struct Ruled {
  std::size_t rank = 0;
  Ruling ruling;
};
[[nodiscard]] std::optional<Ruled> ruled_order(const QuorumConfig& config,
                                               std::span<const Member> members,
                                               std::span<const wire::Ballot> ballots);

/// Nodes that would be quorate by the amendment alone, while they are no majority of what is
/// configured; 0: there are none.
[[nodiscard]] NodeSet split_by(const QuorumConfig& config, const wire::Amendment& amendment);

}  // namespace phalanx::quorum
