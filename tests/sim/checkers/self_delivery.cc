#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

constexpr char kName[] = "G3 self-delivery";

std::string record(const Facts& facts, Incarnation origin, LaneId lane, std::size_t index) {
  return "record " + std::to_string(index) + " of " + facts.name(origin) + " lane " +
         std::to_string(lane);
}

}  // namespace

void SelfDelivery::on_deliver(const Facts& facts, const Delivery& delivery) {
  if (delivery.submission == nullptr) return;
  const Reader& reader = facts.incarnations[delivery.who].readers[delivery.lane];
  const Reader::Cursor& cursor = reader.cursors[delivery.origin];
  const std::string what = record(facts, delivery.origin, delivery.lane, delivery.submission_index);
  if (delivery.submission_index < cursor.next) {
    violated(kName, facts.name(delivery.who) + " delivers " + what +
                        " twice or late: it had come to " + std::to_string(cursor.next));
  }
  if (delivery.who == delivery.origin && delivery.submission_index != cursor.next) {
    violated(kName, facts.name(delivery.who) + " delivers its own " + what + " but never " +
                        std::to_string(cursor.next));
  }
  if (delivery.submission->sent_view != 0 && delivery.submission->sent_view != reader.view) {
    violated(kName, facts.name(delivery.who) + " delivers " + what + " in view " +
                        facts.name_view(reader.view) + "; it was sent in " +
                        facts.name_view(delivery.submission->sent_view));
  }
}

void SelfDelivery::on_cross(const Facts& facts, const Crossing& crossing) {
  const IncarnationFacts& me = facts.incarnations[crossing.who];
  const OriginLane& mine = me.origin[crossing.lane];
  const Reader& reader = me.readers[crossing.lane];
  const std::size_t next =
      crossing.who < reader.cursors.size() ? reader.cursors[crossing.who].next : 0;
  if (next >= mine.submissions.size() || mine.submissions[next].sent_view == 0 ||
      mine.submissions[next].sent_view != crossing.old_view) {
    return;
  }
  violated(kName, facts.name(crossing.who) + " leaves " + facts.name_view(crossing.old_view) +
                      " without delivering its own " +
                      record(facts, crossing.who, crossing.lane, next) + ", sent in that view");
}

void SelfDelivery::at_end(const Facts& facts) {
  for (Incarnation who = 0; who < facts.incarnations.size(); ++who) {
    const IncarnationFacts& me = facts.incarnations[who];
    if (!me.alive) continue;
    for (LaneId lane = 0; lane < facts.lanes; ++lane) {
      const Reader& reader = me.readers[lane];
      const std::size_t next = who < reader.cursors.size() ? reader.cursors[who].next : 0;
      if (next == me.origin[lane].submissions.size()) continue;
      violated(kName, facts.name(who) + " accepted " +
                          std::to_string(me.origin[lane].submissions.size()) + " records in lane " +
                          std::to_string(lane) + " and delivered " + std::to_string(next) +
                          " of them to itself by the end");
    }
  }
}

}  // namespace phalanx::sim
