#pragma once

#include <vector>

#include "controlplane/cli/demo/cluster.h"
#include "perf/group/crew.h"

namespace phalanx::perf {

/// How long one run is.
struct GroupTimes {
  double warm_up_s = 0.3;  ///< Dropped.
  double seconds = 1;
};

/// What one run found.
struct GroupRun {
  double messages_per_s = 0;  ///< That the slowest client delivered.
  double daemon_cpu_us = 0;   ///< A message and node, of data plane and control plane.
  double client_cpu_us = 0;   ///< A message and node.
  double fairness = 1;        ///< Jain's index over the senders: 1 is even.
  double worker_gap_ms = 0;   ///< The longest of any worker between two turns, lately.
  std::uint64_t unsent = 0;   ///< Open: due, but flow control had not taken it by the end.
  Histogram own_delivery;     ///< ns, all senders.
  Histogram other_delivery;   ///< ns, at clients of other nodes.
  Histogram round_trip;       ///< ns.
  bool same_order = true;     ///< All clients delivered the same messages in the same order.
};

/// One run of `work`, whose times it sets: warm-up, measurement, until all is delivered.
[[nodiscard]] Expected<GroupRun, Error> measure_group(GroupCrew& crew,
                                                      const cli::DemoCluster& cluster,
                                                      GroupWork work, const GroupTimes& times);

}  // namespace phalanx::perf
