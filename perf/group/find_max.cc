#include "perf/group/find_max.h"

#include <algorithm>

namespace phalanx::perf {

Expected<std::uint64_t, Error> find_max_rate(
    std::uint64_t least, std::uint64_t most,
    const std::function<Expected<bool, Error>(std::uint64_t rate)>& holds) {
  const auto twice = [&](std::uint64_t rate) -> Expected<bool, Error> {
    auto first = holds(rate);
    return !first || *first ? first : holds(rate);
  };
  std::uint64_t good = 0;
  std::uint64_t bad = most + 1;  // Nothing above is tried.
  for (std::uint64_t rate = least; rate < bad; rate = std::min(rate * 2, most)) {
    const auto held = twice(rate);
    if (!held) return fail(held.error());
    (*held ? good : bad) = rate;
    if (rate == most) break;
  }
  if (good == 0) return good;
  while (bad - good > std::max<std::uint64_t>(good / 20, 1)) {
    const std::uint64_t rate = good + (bad - good) / 2;
    const auto held = twice(rate);
    if (!held) return fail(held.error());
    (*held ? good : bad) = rate;
  }
  return good;
}

}  // namespace phalanx::perf
