#include <algorithm>

#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

constexpr char kName[] = "quorum";

bool share_a_node(const ViewFacts& a, const ViewFacts& b) noexcept {
  return std::any_of(a.members.begin(), a.members.end(), [&](const Member& mine) {
    return std::any_of(b.members.begin(), b.members.end(),
                       [&](const Member& theirs) { return mine.node == theirs.node; });
  });
}

}  // namespace

void Quorate::on_install(const Facts& facts, Incarnation who, bool quorate) {
  const ViewIndex view = facts.incarnations[who].installed;
  const auto [told, fresh] = told_.try_emplace(view, quorate);
  if (told->second != quorate) {
    violated(kName, facts.name(who) + " is told that " + facts.name_view(view) + " is " +
                        (quorate ? "" : "not ") + "quorate, another member was told otherwise");
  }
  if (!quorate || !fresh) return;
  for (Incarnation other = 0; other < facts.incarnations.size(); ++other) {
    const IncarnationFacts& holder = facts.incarnations[other];
    if (!holder.alive || holder.installed == 0) continue;
    const auto its = told_.find(holder.installed);
    if (its == told_.end() || !its->second) continue;
    if (share_a_node(facts.views[view], facts.views[holder.installed])) continue;
    violated(kName, facts.name(who) + " is told that " + facts.name_view(view) +
                        " is quorate, while " + facts.name(other) + " holds the quorate " +
                        facts.name_view(holder.installed) + ", which shares no node with it");
  }
}

}  // namespace phalanx::sim
