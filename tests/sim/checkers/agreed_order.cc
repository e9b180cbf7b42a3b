#include <cstring>

#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

constexpr char kName[] = "G1 agreed order";

std::string at(const Facts& facts, Incarnation who, LaneId lane, ViewIndex view) {
  return facts.name(who) + " lane " + std::to_string(lane) + " view " + facts.name_view(view);
}

}  // namespace

void AgreedOrder::on_send(const Facts& facts, const SentFrame& frame, const LaneLog& log) {
  if (!frame.ordered || frame.position >= log.bytes.size()) return;
  const std::size_t known =
      std::min<std::size_t>(frame.payload.size(), log.bytes.size() - frame.position);
  if (std::memcmp(log.bytes.data() + frame.position, frame.payload.data(), known) == 0) return;
  violated(kName, at(facts, frame.who, frame.lane, frame.view) + " sends other bytes at [" +
                      std::to_string(frame.position) + "," +
                      std::to_string(frame.position + frame.payload.size()) +
                      ") than were sent there before");
}

void AgreedOrder::on_deliver(const Facts& facts, const Delivery& delivery) {
  const Reader& reader = facts.incarnations[delivery.who].readers[delivery.lane];
  if (reader.transitional) return;  // Compared as a whole when the set is known.
  const LaneLog& log = facts.views[reader.view].lanes[delivery.lane];
  if (reader.index >= log.delivered.size() || log.delivered[reader.index] == delivery.fingerprint)
    return;
  violated(kName, at(facts, delivery.who, delivery.lane, reader.view) +
                      " delivers another record at index " + std::to_string(reader.index) +
                      " (origin " + std::to_string(delivery.header.origin) + " stream " +
                      std::to_string(delivery.header.stream_position) +
                      ") than was delivered before");
}

void AgreedOrder::on_cross(const Facts& facts, const Crossing& crossing, const Passage& mine) {
  const auto& passages = facts.views[crossing.view].passages;
  const auto other = passages.find({crossing.lane, crossing.old_view});
  if (other == passages.end() || other->second.regular == mine.regular) return;
  violated(kName, at(facts, crossing.who, crossing.lane, crossing.old_view) +
                      " had its transitional event at index " + std::to_string(mine.regular) +
                      ", " + facts.name(other->second.first) + " at " +
                      std::to_string(other->second.regular));
}

}  // namespace phalanx::sim
