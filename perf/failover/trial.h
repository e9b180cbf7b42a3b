#pragma once

#include <optional>
#include <string>

#include "perf/failover/fault.h"

namespace phalanx::perf {

/// What one fault did to the clients of the other nodes. Times are theirs, of CLOCK_MONOTONIC, from
/// just before the fault.
struct Trial {
  TimeNs view = 0;  ///< Until the last of them was told of the view without the node.
  TimeNs gap = 0;   ///< The longest time any of them had nothing delivered.
  std::optional<TimeNs> rejoined;  ///< From the mending until all were told of a view with it.
  std::string rule;                ///< By which rule a survivor left the node out.
};

/// Does faults to the last node of a cluster whose clients are sending, one at a time.
class Bench {
 public:
  Bench(cli::DemoCluster& cluster, cli::DemoCrew& crew) : cluster_(cluster), crew_(crew) {}

  /// One fault, until the cluster has been whole again for so long that the next one meets no
  /// node that is held back for having come and gone.
  [[nodiscard]] Expected<Trial, Error> run(const Fault& fault);

 private:
  /// When the last survivor was told of a view after `after` with (or without) the last node.
  [[nodiscard]] TimeNs told_of_view(bool with_last, TimeNs after) const;
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] std::string rule_of_last_view() const;
  [[nodiscard]] Expected<void, Error> check() const;
  template <typename Condition>
  [[nodiscard]] Expected<void, Error> wait(const char* what, Condition condition) const;

  cli::DemoCluster& cluster_;
  cli::DemoCrew& crew_;
};

}  // namespace phalanx::perf
