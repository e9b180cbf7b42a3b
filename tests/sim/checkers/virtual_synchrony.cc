#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

constexpr char kName[] = "G2 virtual synchrony";

void check_claim(const Facts& facts, ViewIndex view, const ViewFacts::Claim& claim,
                 std::size_t rank) {
  const ViewFacts& v = facts.views[view];
  const bool together = claim.old_view != 0 && v.came_from[rank] == claim.old_view;
  if (claim.together[rank] == together) return;
  violated(kName, facts.name(v.incarnations[claim.rank]) + " says of " +
                      facts.name(v.incarnations[rank]) +
                      (together ? " that it did not come along" : " that it came along") +
                      " from " + facts.name_view(claim.old_view) + " to " + facts.name_view(view) +
                      ", which came from " + facts.name_view(v.came_from[rank]));
}

}  // namespace

void VirtualSynchrony::on_cross(const Facts& facts, const Crossing& crossing, const Passage& mine) {
  const auto& passages = facts.views[crossing.view].passages;
  const auto other = passages.find({crossing.lane, crossing.old_view});
  if (other == passages.end() ||
      (other->second.count == mine.count && other->second.hash == mine.hash))
    return;
  violated(kName, facts.name(crossing.who) + " and " + facts.name(other->second.first) +
                      " go from " + facts.name_view(crossing.old_view) + " to " +
                      facts.name_view(crossing.view) + " with different messages in lane " +
                      std::to_string(crossing.lane) + " (" + std::to_string(mine.count) + " and " +
                      std::to_string(other->second.count) + ", regular " +
                      std::to_string(mine.regular) + " and " +
                      std::to_string(other->second.regular) + ")");
}

void VirtualSynchrony::on_install(const Facts& facts, ViewIndex view, std::size_t rank,
                                  ViewIndex old_view) {
  (void)old_view;
  for (const ViewFacts::Claim& claim : facts.views[view].claims)
    check_claim(facts, view, claim, rank);
}

void VirtualSynchrony::on_claim(const Facts& facts, ViewIndex view, const ViewFacts::Claim& claim) {
  const ViewFacts& v = facts.views[view];
  for (std::size_t rank = 0; rank < v.members.size(); ++rank) {
    if (v.installed[rank]) check_claim(facts, view, claim, rank);
  }
}

}  // namespace phalanx::sim
