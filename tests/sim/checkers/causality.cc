#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {

void Causality::on_deliver(const Facts& facts, const Delivery& delivery) {
  if (delivery.submission == nullptr) return;
  constexpr char kName[] = "G4 FIFO and causality";
  const Reader& reader = facts.incarnations[delivery.who].readers[delivery.lane];
  const Reader::Cursor& cursor = reader.cursors[delivery.origin];
  if (delivery.submission_index > cursor.next && !cursor.gap_allowed) {
    violated(kName, facts.name(delivery.who) + " delivers record " +
                        std::to_string(delivery.submission_index) + " of " +
                        facts.name(delivery.origin) + " lane " + std::to_string(delivery.lane) +
                        " after " + std::to_string(cursor.next) +
                        " was expected: a hole in the stream");
  }
  const Submission& submission = *delivery.submission;
  if (submission.heard_view == reader.view && reader.index < submission.heard_index) {
    violated(kName, facts.name(delivery.who) + " delivers record " +
                        std::to_string(delivery.submission_index) + " of " +
                        facts.name(delivery.origin) + " at index " + std::to_string(reader.index) +
                        "; its origin had delivered " + std::to_string(submission.heard_index) +
                        " records before it");
  }
}

}  // namespace phalanx::sim
