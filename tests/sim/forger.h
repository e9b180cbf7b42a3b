#pragma once

#include <cstddef>
#include <span>

#include "transport/sim/random.h"

namespace phalanx::sim {

/// What somebody who has no key makes of a frame that passed by: other bytes, for a place that
/// overlaps the old one, under a counter that was not used yet.
void forge(std::span<std::byte> frame, transport::Random& random);

}  // namespace phalanx::sim
