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

void Quorate::check_votes(const Facts& facts, Incarnation who, const wire::Amendment& votes) {
  const ViewIndex view = facts.incarnations[who].installed;
  if (told_[view].votes != votes) {
    violated(kName, facts.name(who) + " counts in " + facts.name_view(view) +
                        " with the votes of revision " + std::to_string(votes.revision) +
                        ", another member with other votes, of revision " +
                        std::to_string(told_[view].votes.revision));
  }
  for (const Incarnation member : facts.views[view].incarnations) {
    if (known_[member] <= votes.revision) continue;
    violated(kName, facts.name(who) + " counts in " + facts.name_view(view) +
                        " with the votes of revision " + std::to_string(votes.revision) +
                        ", while its member " + facts.name(member) + " has known revision " +
                        std::to_string(known_[member]));
  }
  known_[who] = votes.revision;
}

void Quorate::on_install(const Facts& facts, Incarnation who, bool quorate,
                         const wire::Amendment& votes) {
  const ViewIndex view = facts.incarnations[who].installed;
  const auto [told, fresh] = told_.try_emplace(view, Told{quorate, votes});
  check_votes(facts, who, votes);
  if (told->second.quorate != quorate) {
    violated(kName, facts.name(who) + " is told that " + facts.name_view(view) + " is " +
                        (quorate ? "" : "not ") + "quorate, another member was told otherwise");
  }
  if (!quorate || !fresh) return;
  for (Incarnation other = 0; other < facts.incarnations.size(); ++other) {
    const IncarnationFacts& holder = facts.incarnations[other];
    if (!holder.alive || holder.installed == 0) continue;
    const auto its = told_.find(holder.installed);
    if (its == told_.end() || !its->second.quorate) continue;
    if (share_a_node(facts.views[view], facts.views[holder.installed])) continue;
    violated(kName, facts.name(who) + " is told that " + facts.name_view(view) +
                        " is quorate, while " + facts.name(other) + " holds the quorate " +
                        facts.name_view(holder.installed) + ", which shares no node with it");
  }
}

}  // namespace phalanx::sim
