#include "tests/sim/checkers/replicated.h"

#include <algorithm>

#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

std::string name(OperationId operation) {
  return "operation " + std::to_string(operation.second) + " of " + std::to_string(operation.first);
}

bool has(const ReplicatedState& state, OperationId operation) {
  return std::find(state.taken.begin(), state.taken.end(), operation) != state.taken.end();
}

}  // namespace

void Replicated::on_died(const ReplicatedState* state) {
  living_.erase(state);
  for (const OperationId& operation : state->taken) {
    if (!kept_.contains(operation)) continue;
    const bool elsewhere = std::any_of(living_.begin(), living_.end(), [&](const auto* other) {
      return other->valid && has(*other, operation);
    });
    if (!elsewhere) kept_.erase(operation);
  }
}

void Replicated::on_take(const ReplicatedState& state, OperationId operation) {
  ++coverage.taken;
  if (has(state, operation)) violated("R2 exactly once", name(operation) + " is taken twice");
}

void Replicated::on_acknowledged(OperationId operation, bool quorate) {
  ++coverage.acknowledged;
  if (!quorate) return;
  ++coverage.quorate;
  kept_.insert(operation);
}

void Replicated::check_end() const {
  const ReplicatedState* first = living_.empty() ? nullptr : *living_.begin();
  if (first == nullptr) return;
  for (const ReplicatedState* state : living_) {
    if (!state->valid || !(*state == *first)) {
      violated("R1 equal replicas", "two states of " + std::to_string(first->taken.size()) +
                                        " and " + std::to_string(state->taken.size()) +
                                        " operations differ");
    }
  }
  const std::set<OperationId> taken(first->taken.begin(), first->taken.end());
  if (taken.size() != first->taken.size())
    violated("R2 exactly once", "an operation is in the state twice");
  for (const OperationId& operation : kept_) {
    if (!taken.contains(operation) && !excused_)
      violated("R3 nothing acknowledged is lost",
               name(operation) + " was acknowledged with quorum");
  }
  for (const OperationId& operation : refused_) {
    if (taken.contains(operation))
      violated("R4 refused is refused", name(operation) + " was refused and is in the state");
  }
}

}  // namespace phalanx::sim
