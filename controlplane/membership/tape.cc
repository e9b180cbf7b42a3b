#include "controlplane/membership/tape.h"

#include <optional>

namespace phalanx::membership {
namespace {

/// A segment ends before the next step could find no room: the image must be of the state before
/// it. No message is longer.
constexpr std::size_t kReserve = 96 * 1024;

}  // namespace

void Tape::begin(const Membership& membership) {
  if (writer_.empty()) {
    whole_ = writer_.image({membership.image()});
  } else {
    turn_over(membership);
  }
}

void Tape::step(const Membership& membership, const Input& input, const Outcome& outcome) {
  scratch_.clear();
  encode(outcome, scratch_);
  encode(input, scratch_);
  if (!whole_ || !writer_.step({scratch_})) return turn_over(membership);
  if (writer_.room() < kReserve) turn_over(membership);
}

void Tape::turn_over(const Membership& membership) {
  writer_.turn_over();
  whole_ = writer_.image({membership.image()});
}

Replay replay(std::span<const std::byte> file, const std::function<void(const ReplayStep&)>& each) {
  constexpr std::size_t kOutcomeBytes = 1 + 4 + 4 * 8;
  Replay result;
  std::optional<Membership> machine;
  for (const recorder::TapeRecord& record : recorder::read_tape(file, kTapeLayout)) {
    if (record.image) {
      machine = Membership::of_image(record.payload);
      (machine ? result.images : result.spoilt) += 1;
      continue;
    }
    if (!machine) continue;
    const bool long_enough = record.payload.size() > kOutcomeBytes;
    const auto recorded =
        long_enough ? decode_outcome(record.payload.first(kOutcomeBytes)) : std::nullopt;
    const auto input =
        long_enough ? decode_input(record.payload.subspan(kOutcomeBytes)) : std::nullopt;
    if (!recorded || !input) {
      ++result.spoilt;
      machine.reset();  // What follows would differ for no reason.
      continue;
    }
    const std::optional<Actions> actions = apply(*machine, *input);
    const Outcome outcome = outcome_of(actions, *machine);
    if (result.steps++ == 0) result.first = input->now;
    result.last = input->now;
    if (each) each({record.number, *input, outcome, *machine});
    if (outcome == *recorded) continue;
    result.differs = true;
    result.difference = "step " + std::to_string(record.number) + " (" +
                        std::string(to_string(input->kind)) + " at " + std::to_string(input->now) +
                        "): recorded: " + text_of(*recorded) + "; now: " + text_of(outcome);
    if (text_of(*recorded) == text_of(outcome)) result.difference += "; what is sent differs";
    return result;
  }
  return result;
}

}  // namespace phalanx::membership
