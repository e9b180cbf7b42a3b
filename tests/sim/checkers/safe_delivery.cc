#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

constexpr char kName[] = "G5 safe delivery";

[[noreturn]] void lacks(const Facts& facts, Incarnation reader, Incarnation member,
                        std::uint64_t index, LaneId lane, Position end, Position received,
                        const char* part) {
  violated(kName, facts.name(reader) + " delivers the safe record at index " +
                      std::to_string(index) + " of lane " + std::to_string(lane) + " in the " +
                      part + " part; " + facts.name(member) + " has received " +
                      std::to_string(received) + " bytes of the " + std::to_string(end) +
                      " up to its end");
}

}  // namespace

void SafeDelivery::on_deliver(const Facts& facts, const Delivery& delivery) {
  const Reader& reader = facts.incarnations[delivery.who].readers[delivery.lane];
  if ((delivery.header.flags & core::kRecordSafe) == 0 || reader.transitional) return;
  const ViewFacts& view = facts.views[reader.view];
  if (view.members.size() == 1) return;
  const LaneLog& log = view.lanes[delivery.lane];
  const bool sent = reader.index < log.record_ends.size();
  for (std::size_t rank = 0; rank < view.members.size(); ++rank) {
    const Position received = log.held[rank].received;
    const Position end = sent ? log.record_ends[reader.index] : log.bytes.size() + 1;
    if (received < end) {
      lacks(facts, delivery.who, view.incarnations[rank], reader.index, delivery.lane, end,
            received, "regular");
    }
  }
}

void SafeDelivery::on_cross(const Facts& facts, const Crossing& crossing) {
  if (crossing.old_view == 0) return;
  const Reader& reader = facts.incarnations[crossing.who].readers[crossing.lane];
  const ViewFacts& old_view = facts.views[crossing.old_view];
  const LaneLog& log = old_view.lanes[crossing.lane];
  const auto planned = facts.views[crossing.view].cuts.find({crossing.lane, crossing.old_view});
  const Position cut = planned == facts.views[crossing.view].cuts.end() ? 0 : planned->second;
  for (std::size_t i = 0; i < reader.late.size(); ++i) {
    const std::uint64_t index = reader.regular + i;
    const bool in_log = index < log.record_ends.size() && log.record_ends[index] <= cut;
    if (index < log.safe_delivered && reader.late[i].fingerprint != log.delivered[index]) {
      violated(kName, facts.name(crossing.who) + " leaves " + facts.name_view(crossing.old_view) +
                          " without a safe record that was delivered there in the regular part");
    }
    if (!in_log || !reader.late[i].safe) continue;
    for (const core::ViewRecord::Entry& entry : crossing.record.members) {
      if (!entry.transitional) continue;
      const Incarnation other = facts.find_member(crossing.old_view, entry.member.node);
      const std::size_t rank = old_view.rank_of(other);
      if (rank < log.held.size() && log.held[rank].received < log.record_ends[index]) {
        lacks(facts, crossing.who, other, index, crossing.lane, log.record_ends[index],
              log.held[rank].received, "transitional");
      }
    }
  }
  if (reader.index < log.safe_delivered) {
    violated(kName, facts.name(crossing.who) + " leaves " + facts.name_view(crossing.old_view) +
                        " after " + std::to_string(reader.index) + " records of lane " +
                        std::to_string(crossing.lane) +
                        "; a safe one was delivered there before index " +
                        std::to_string(log.safe_delivered));
  }
}

}  // namespace phalanx::sim
