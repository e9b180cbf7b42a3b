#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"
#include "tests/sim/payload.h"

namespace phalanx::sim {

void NoInvention::on_deliver(const Facts& facts, const Delivery& delivery) {
  constexpr char kName[] = "G6 no invention";
  const core::RecordHeader& header = delivery.header;
  const std::string what = facts.name(delivery.who) + " delivers in lane " +
                           std::to_string(delivery.lane) + " a record of node " +
                           std::to_string(header.origin) + " at stream " +
                           std::to_string(header.stream_position);
  if (!counts(header.kind)) return;
  if (delivery.origin == kNobody) violated(kName, what + ", which is not a member of its view");
  if (header.kind == core::RecordKind::GroupState) return;
  if (delivery.submission == nullptr) violated(kName, what + ", where nothing was submitted");
  const Submission& sent = *delivery.submission;
  if (sent.kind != header.kind || sent.flags != header.flags || sent.client != header.client ||
      sent.group != header.group || sent.payload_bytes != header.payload_bytes) {
    violated(kName, what + " with another kind, flags, client, group or length than was submitted");
  }
  if (delivery.payload.size() != sent.payload_bytes || !payload_matches(sent, delivery.payload)) {
    violated(kName, what + " with other bytes than were submitted");
  }
}

}  // namespace phalanx::sim
