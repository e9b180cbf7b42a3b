#pragma once

#include <optional>

namespace phalanx::perf {

/// What no program on this host gets below; of a virtual machine all change by the minute, with
/// where its processors run.

/// A cache line to another core and back, ns, median of several goes; both look with a pause
/// between. Nothing where there is one core. Takes some 20 ms; a second where one cannot be had.
[[nodiscard]] std::optional<double> line_round_trip_ns();

/// From one process to another of the same core, by a sched_yield(): ns, likewise. Some 200 ms.
[[nodiscard]] std::optional<double> switch_ns();

/// A sched_yield() with nobody to yield to, ns.
[[nodiscard]] double yield_ns();

}  // namespace phalanx::perf
