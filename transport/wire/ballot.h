#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace phalanx::wire {

/// Nodes whose majority a view needs: those of an earlier quorate view (controlplane/quorum).
struct Electorate {
  std::uint64_t sequence = 0;  ///< Of that view; 0: the configured nodes.
  std::uint64_t nodes = 0;     ///< Bit i: the i-th configured node, in order of ids. 0: all.
  friend auto operator<=>(const Electorate&, const Electorate&) = default;
};

/// Votes as they were changed at run time, agreed by the view whose sequence is the revision.
struct Amendment {
  std::uint64_t revision = 0;        ///< 0: as configured, and all else is empty.
  std::uint32_t expected = 0;        ///< Votes whose majority is needed.
  std::vector<std::uint16_t> votes;  ///< By configured index.
  friend auto operator<=>(const Amendment&, const Amendment&) = default;
};

/// A change at run time that a member asks for. One order a view is ruled on: that of the member
/// with the lowest id.
struct Order {
  enum class Kind : std::uint8_t {
    None,
    Votes,     ///< The configured node `index` has `number` votes.
    Expected,  ///< `number` votes are expected.
    EndWait,   ///< Nobody waits for all. `number` 1: the operator's word that the others are down.
  };
  Kind kind = Kind::None;
  std::uint8_t index = 0;
  std::uint32_t number = 0;
  friend bool operator==(const Order&, const Order&) = default;
};

/// What one member brings to the question whether the new view is quorate. It travels in its
/// report; the plan holds all of them, so that every member of the view comes to one answer.
struct Ballot {
  static constexpr std::size_t kOpenMax = 4;

  std::uint32_t device_votes = 0;  ///< That its quorum device gives to its side.
  bool forgotten = false;          ///< It was in no quorate view since it started.
  Electorate settled;
  std::vector<Electorate> open;  ///< Above `settled`, growing; at most kOpenMax.
  Amendment amendment;           ///< The newest that it knows.
  Order order;
  friend bool operator==(const Ballot&, const Ballot&) = default;
};

}  // namespace phalanx::wire
