#pragma once

#include <map>
#include <string>
#include <vector>

#include "perf/failover/trial.h"

namespace phalanx::perf {

/// All trials of one run of the benchmark.
struct FailoverReport {
  struct Row {
    const Fault* fault;
    std::vector<Trial> trials;
  };
  std::string transport;
  std::size_t nodes = 0;
  TimeNs dead_after = 0;
  TimeNs stall_after = 0;
  std::uint64_t rate_per_s = 0;
  std::vector<Row> rows;
  bool agree = false;   ///< What the clients of the nodes that stayed delivered is the same.
  std::string differs;  ///< Why not.
};

[[nodiscard]] std::string failover_text(const FailoverReport& report);
[[nodiscard]] std::string failover_json(const FailoverReport& report);

}  // namespace phalanx::perf
