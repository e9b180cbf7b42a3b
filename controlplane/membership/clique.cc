#include "controlplane/membership/clique.h"

#include "ipc/base/assert.h"

namespace phalanx::membership {
namespace {

NodeSet links_of(std::size_t node, const HearsMatrix& matrix, NodeSet among) noexcept {
  NodeSet links = 0;
  for (NodeSet rest = among & ~only(node); rest != 0; rest &= rest - 1) {
    if (matrix.linked(node, lowest(rest))) links |= only(lowest(rest));
  }
  return links;
}

bool is_clique(const HearsMatrix& matrix, NodeSet set) noexcept {
  for (NodeSet rest = set; rest != 0; rest &= rest - 1) {
    if ((set & ~matrix.hears[lowest(rest)]) != only(lowest(rest))) return false;
  }
  return true;
}

}  // namespace

std::vector<NodeSet> cliques(const HearsMatrix& matrix, NodeSet candidates, NodeSet current_view) {
  std::vector<NodeSet> found;
  std::array<NodeSet, kNodesMax> links{};
  for (NodeSet rest = candidates; rest != 0; rest &= rest - 1) {
    links[lowest(rest)] = links_of(lowest(rest), matrix, candidates);
  }

  while (candidates != 0) {
    NodeSet set = candidates;
    for (;;) {
      const int others = std::popcount(set) - 1;
      int fewest = others;
      std::size_t peeled = kNodesMax;
      for (NodeSet rest = set; rest != 0;
           rest &= rest - 1) {  // Upwards: a later tie has a higher id.
        const std::size_t node = lowest(rest);
        const int count = std::popcount(links[node] & set);
        if (count == others || count > fewest) continue;
        const bool tie = count == fewest && peeled != kNodesMax;
        if (tie && contains(current_view, node) && !contains(current_view, peeled)) continue;
        fewest = count;
        peeled = node;
      }
      if (peeled == kNodesMax) break;  // Everyone has a link to everyone.
      set &= ~only(peeled);
    }
    found.push_back(set);
    candidates &= ~set;
  }
  return found;
}

NodeSet clique_of(std::size_t member, const HearsMatrix& matrix, NodeSet candidates,
                  NodeSet current_view) {
  PHX_CHECK(contains(candidates, member));
  if (is_clique(matrix, candidates)) return candidates;  // The common case, without peeling.
  for (const NodeSet set : cliques(matrix, candidates, current_view)) {
    if (contains(set, member)) return set;
  }
  PHX_CHECK(false);
  return 0;
}

}  // namespace phalanx::membership
