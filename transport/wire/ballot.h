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

/// What one member brings to the question whether the new view is quorate. It travels in its
/// report; the plan holds all of them, so that every member of the view comes to one answer.
struct Ballot {
  static constexpr std::size_t kOpenMax = 4;

  std::uint32_t votes = 0;
  std::uint32_t expected = 0;      ///< Sum of votes that it counts with.
  std::uint32_t device_votes = 0;  ///< That its quorum device gives to its side.
  bool forgotten = false;          ///< It was in no quorate view since it started.
  Electorate settled;
  std::vector<Electorate> open;  ///< Above `settled`, growing; at most kOpenMax.
  friend bool operator==(const Ballot&, const Ballot&) = default;
};

}  // namespace phalanx::wire
