#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ipc/base/ids.h"

namespace phalanx::membership {

/// A set of configured nodes: bit i stands for the i-th, in order of node ids.
using NodeSet = std::uint64_t;
static_assert(kNodesMax <= 64);

[[nodiscard]] constexpr NodeSet only(std::size_t index) noexcept { return NodeSet{1} << index; }
[[nodiscard]] constexpr bool contains(NodeSet set, std::size_t index) noexcept {
  return (set >> index & 1) != 0;
}
[[nodiscard]] constexpr std::size_t lowest(NodeSet set) noexcept {
  return static_cast<std::size_t>(std::countr_zero(set));
}

/// hears[i] = whom node i hears. A link is mutual hearing.
struct HearsMatrix {
  std::array<NodeSet, kNodesMax> hears{};

  [[nodiscard]] bool linked(std::size_t a, std::size_t b) const noexcept {
    return contains(hears[a], b) && contains(hears[b], a);
  }
};

/// Splits the candidates into cliques of nodes that all hear one another. One function of the whole
/// matrix, so that nodes with equal matrices give equal answers: peel the node with the fewest
/// links (ties: outside the current view first, then the highest id) until a clique is left; repeat
/// among the peeled.
[[nodiscard]] std::vector<NodeSet> cliques(const HearsMatrix& matrix, NodeSet candidates,
                                           NodeSet current_view);

/// The one of them that `member` is in, which must be a candidate.
[[nodiscard]] NodeSet clique_of(std::size_t member, const HearsMatrix& matrix, NodeSet candidates,
                                NodeSet current_view);

}  // namespace phalanx::membership
