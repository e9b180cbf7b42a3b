#pragma once

#include <cstdint>
#include <functional>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::perf {

/// The highest rate, in messages a second, that `holds`; 0: not even `least`. Doubles from `least`
/// until it does not, then halves what is between until the two are within 5 %. A rate counts as
/// not holding only when it did not twice: one run may have met somebody else's work.
[[nodiscard]] Expected<std::uint64_t, Error> find_max_rate(
    std::uint64_t least, std::uint64_t most,
    const std::function<Expected<bool, Error>(std::uint64_t rate)>& holds);

}  // namespace phalanx::perf
