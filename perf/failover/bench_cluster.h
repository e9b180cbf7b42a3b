#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "controlplane/cli/demo/cluster.h"
#include "controlplane/cli/demo/crew.h"
#include "controlplane/cli/demo/options.h"
#include "controlplane/cli/demo/transport.h"
#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// A cluster as `phalanx demo` starts it, but with the times that a user gets by default.
struct BenchOptions {
  cli::DemoOptions demo;
  std::uint64_t dead_after_ms = 50;
  std::uint64_t stall_after_ms = 500;
};

/// Registers --nodes, which are `least` or more, --transport, --dead-after and --stall-after.
void add_cluster_options(cli::Command& command, BenchOptions& options, std::uint64_t least = 2);

/// What a bench does with a cluster that is whole. True: as wanted.
using ClusterWork =
    std::function<Expected<bool, Error>(const cli::DemoTransport&, cli::DemoCluster&)>;

/// Starts it, works, and leaves nothing behind, however that ends.
[[nodiscard]] ExitCode run_cluster(BenchOptions options, const cli::Globals& globals,
                                   const ClusterWork& work);

/// What a bench does with a cluster that is whole and whose clients have joined.
using BenchWork = std::function<Expected<bool, Error>(const cli::DemoTransport&, cli::DemoCluster&,
                                                      cli::DemoCrew&)>;

/// As run_cluster(), with the demo's clients.
[[nodiscard]] ExitCode run_bench(BenchOptions options, const cli::Globals& globals,
                                 const BenchWork& work);

/// Stops the senders and waits until the clients on nodes below `nodes` (all but the last node's
/// when it is the number of nodes) have delivered the same. Empty, or what differs after 10 s.
[[nodiscard]] std::string await_same_order(cli::DemoCrew& crew, std::size_t nodes);

}  // namespace phalanx::perf
