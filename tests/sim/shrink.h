#pragma once

#include <string>
#include <vector>

#include "tests/sim/scenario.h"

namespace phalanx::sim {

/// How a history ends: "none" when all guarantees hold, else "G1" to "G10", or "assertion" when a
/// core gave up.
[[nodiscard]] std::string outcome_of(const Scenario& scenario);

struct Shrunk {
  std::string outcome;
  std::vector<std::string> parts;  ///< script_parts() that are enough for it, and none too many.
};

/// Delta debugging: takes away parts of the fault script as long as the history ends in the same
/// way. Each trial runs in a process of its own, so that an assertion ends the trial alone.
/// Stops early, with what it has, after `seconds`.
[[nodiscard]] Shrunk shrink(const Scenario& scenario, double seconds);

}  // namespace phalanx::sim
