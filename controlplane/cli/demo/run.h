#pragma once

#include <functional>
#include <string>
#include <vector>

#include "controlplane/cli/demo/cluster.h"
#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/demo/crew.h"
#include "controlplane/cli/demo/options.h"
#include "controlplane/cli/demo/report.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// The phases of one demo, in order; each fills its part of the report. An error means that the
/// phase could not be carried through, not that a comparison failed: that is `report().ok`.
class DemoRun {
 public:
  DemoRun(const DemoOptions& options, DemoCluster& cluster, DemoCrew& crew)
      : options_(options), cluster_(cluster), crew_(crew) {}

  /// One message outstanding, sender beside the orderer.
  [[nodiscard]] Expected<void, Error> measure_latency();
  /// Full speed; the rate counts from the start until everything is delivered everywhere.
  [[nodiscard]] Expected<void, Error> measure_throughput();
  /// SIGKILL to the last node's data plane at half speed; ends when the node receives again.
  [[nodiscard]] Expected<void, Error> kill_data_plane();
  /// Lets everything be delivered, then compares what every client delivered.
  [[nodiscard]] Expected<void, Error> compare_all();

  [[nodiscard]] DemoReport& report() noexcept { return report_; }

 private:
  [[nodiscard]] Expected<void, Error> wait(TimeNs duration, const std::string& what);
  [[nodiscard]] Expected<void, Error> wait_until(const std::string& what, TimeNs patience,
                                                 const std::function<bool()>& condition);
  /// Stops the senders and waits until nothing is under way any more.
  [[nodiscard]] Expected<void, Error> drain();
  [[nodiscard]] TimeNs view_without(std::size_t client, std::size_t node, TimeNs after);
  void await_the_slowest();
  [[nodiscard]] Comparison compare_client(std::size_t client);
  [[nodiscard]] std::string views_of(std::size_t client);
  void set_phase(Phase phase);
  [[nodiscard]] std::uint64_t delivered_total();
  [[nodiscard]] std::uint64_t sent_total();
  [[nodiscard]] bool is_victim(std::size_t client) const {
    return victim_ != 0 && crew_.node_of(client) == victim_;
  }

  const DemoOptions& options_;
  DemoCluster& cluster_;
  DemoCrew& crew_;
  DemoReport report_;
  std::size_t victim_ = 0;                  ///< Node that was killed, from 1.
  std::vector<std::size_t> rejoin_points_;  ///< Checkpoints each client had at the kill.
};

}  // namespace phalanx::cli
