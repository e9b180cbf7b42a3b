#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/histogram.h"
#include "ipc/base/time_ns.h"
#include "perf/wire/open_wire.h"
#include "perf/wire/wire_node.h"

namespace phalanx::perf {

struct WireReport {
  Histogram half_trips;    ///< Of pings, in nanoseconds.
  std::uint64_t lost = 0;  ///< Pings without an answer.
  std::uint64_t sent = 0;  ///< Frames that were to arrive at each receiver.
  double seconds = 0;      ///< In which they were sent.
  struct Receiver {
    NodeId node = 0;
    std::uint64_t frames = 0;
    double seconds = 0;  ///< From the first to the last.
  };
  std::vector<Receiver> receivers;
};

/// Node 1's part: waits for the others, then measures.
[[nodiscard]] Expected<WireReport, Error> lead(WireNode& node, const WireOptions& options);
/// Everybody else's: answers and counts until node 1 ends it. Returns how many frames came.
[[nodiscard]] Expected<std::uint64_t, Error> serve(WireNode& node);

}  // namespace phalanx::perf
