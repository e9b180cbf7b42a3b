#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/ballot.h"

namespace phalanx::quorum {

/// A set of configured nodes: bit i stands for the i-th, in order of node ids.
using NodeSet = std::uint64_t;
static_assert(kNodesMax <= 64);

enum class TieBreaker : std::uint8_t { Off, Lowest, Highest, List };

struct Voter {
  NodeId node = 0;
  std::uint32_t votes = 1;
};

/// The same on all nodes: it is part of the cluster's configuration hash.
struct QuorumConfig {
  bool enabled = true;               ///< Off: every view is quorate.
  std::vector<Voter> nodes;          ///< All configured nodes, sorted.
  std::uint32_t expected_votes = 0;  ///< 0: the sum of all votes.
  std::uint32_t device_votes = 0;    ///< Of the quorum device; 0: there is none.
  bool two_node = false;             ///< One vote of two is enough.
  bool wait_for_all = false;         ///< No first quorum before all were seen together.
  bool last_man_standing = false;    ///< The majority is that of the last quorate view.
  TimeNs last_man_standing_window = 10 * kSecond;
  TieBreaker tie_breaker = TieBreaker::Off;
  std::vector<NodeId> tie_breaker_nodes;  ///< For List: the first of them that has a say.
};

/// Why a view is quorate, or is not.
enum class Reason : std::uint8_t {
  NoView,       ///< Nothing is installed.
  Off,          ///< Quorate: nobody asked for votes.
  Majority,     ///< Quorate.
  TwoNode,      ///< Quorate.
  TieBreaker,   ///< Quorate: half the votes, and the node that breaks ties.
  TooFewVotes,  ///< Not quorate.
  LostTie,      ///< Half the votes, without the node that breaks ties.
  WaitsForAll,  ///< Votes enough, but of nodes that have not seen all others since they started.
};

[[nodiscard]] std::string_view to_string(Reason reason) noexcept;
[[nodiscard]] constexpr bool is_quorate(Reason reason) noexcept {
  return reason == Reason::Off || reason == Reason::Majority || reason == Reason::TwoNode ||
         reason == Reason::TieBreaker;
}

struct Outcome {
  bool quorate = false;
  Reason reason = Reason::NoView;
  std::uint32_t expected = 0;          ///< Votes whose majority is needed.
  std::uint32_t highest_expected = 0;  ///< Highest that a member counts with.
  std::uint32_t total = 0;             ///< Votes that counted, a device's with them.
  std::uint32_t needed = 0;
  NodeSet present = 0;
  NodeSet counted = 0;  ///< Members whose votes counted.

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// Bits of all configured nodes.
[[nodiscard]] NodeSet everybody(const QuorumConfig& config) noexcept;
/// The sum of the configured votes of these nodes.
[[nodiscard]] std::uint32_t votes_of(const QuorumConfig& config, NodeSet nodes) noexcept;
/// The node of an electorate that breaks its ties; none: nobody does.
[[nodiscard]] NodeSet tie_breaker(const QuorumConfig& config, NodeSet electorate) noexcept;
/// What expected_votes comes to: the sum where it is 0, with the device's.
[[nodiscard]] std::uint32_t expected_votes(const QuorumConfig& config) noexcept;

/// The newest change of votes that one of the ballots holds; nullptr: all is as configured.
[[nodiscard]] const wire::Amendment* newest_amendment(const QuorumConfig& config,
                                                      std::span<const wire::Ballot> ballots);

/// What counts beside the ballots.
struct Terms {
  const wire::Amendment* amendment = nullptr;  ///< In force; nullptr: all is as configured.
  bool ends_wait = false;                      ///< Nobody waits for all.
};
[[nodiscard]] Outcome judge_view(const QuorumConfig& config, std::span<const Member> members,
                                 std::span<const wire::Ballot> ballots, const Terms& terms);

/// Is a view of these members, who brought these ballots (by rank), quorate? A function of the
/// plan and the configuration alone: every member of the view gets the same answer. An order among
/// the ballots is carried out first, if it may be.
[[nodiscard]] Outcome decide(const QuorumConfig& config, std::span<const Member> members,
                             std::span<const wire::Ballot> ballots);

}  // namespace phalanx::quorum
