#include "perf/failover/bench_cluster.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/demo/supervise.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using cli::DemoCrew;

constexpr TimeNs kPatience = 30 * kSecond;

ExitCode orchestrate(const BenchOptions& options, const cli::Globals& globals,
                     const cli::DemoTransport& transport, const DemoCluster::Places& places,
                     const ClusterWork& work) {
  cli::catch_stop_signals();
  cli::show_step(transport.told);
  using Ports = cli::DemoNetwork::Ports;
  auto network = geteuid() == 0 ? cli::DemoNetwork::in_namespaces(
                                      options.demo.nodes,
                                      transport.is_ethernet() ? Ports::DataForDpdk : Ports::One)
                                : cli::DemoNetwork::on_loopback(options.demo.nodes);
  if (!network) return cli::report(network.error(), globals);
  auto cluster = DemoCluster::start(options.demo, places, std::move(*network), transport);
  if (!cluster) return cli::report(cluster.error(), globals);
  const auto whole = cluster->wait_whole(kPatience);
  const auto done = whole ? work(transport, *cluster) : Expected<bool, Error>(fail(whole.error()));
  if (done) return *done ? ExitCode::Fine : ExitCode::Failed;
  const ExitCode code = cli::report(done.error(), globals);
  if (!cli::stop_requested()) std::fputs(cluster->logs().c_str(), stderr);
  return code;
}

std::string difference(DemoCrew& crew, std::size_t nodes) {
  for (std::size_t i = 1; i < crew.size(); ++i) {
    if (crew.node_of(i) >= nodes) continue;
    const cli::Comparison result =
        cli::compare(cli::sequence_of(crew.slot(0)), cli::sequence_of(crew.slot(i)));
    if (result.agree && result.items > 0 && result.from_the_start) continue;
    return "client " + std::to_string(i) + ": " +
           (result.agree ? "it was in other views for a time" : result.why);
  }
  return "";
}

}  // namespace

void add_cluster_options(cli::Command& command, BenchOptions& options, std::uint64_t least) {
  options.demo.transport = "udp";
  command.number("--nodes", options.demo.nodes, {least, 16}, "Nodes")
      .word("--transport", options.demo.transport, {"auto", "udp", "shm", "dpdk", "ethernet"},
            "How frames travel")
      .number("--dead-after", options.dead_after_ms, {10, 10'000},
              "cluster.dead_after, milliseconds")
      .number("--stall-after", options.stall_after_ms, {50, 60'000},
              "cluster.stall_after, milliseconds");
}

ExitCode run_cluster(BenchOptions options, const cli::Globals& globals, const ClusterWork& work) {
  options.demo.dead_after = static_cast<TimeNs>(options.dead_after_ms) * kMillisecond;
  options.demo.stall_after = static_cast<TimeNs>(options.stall_after_ms) * kMillisecond;
  cli::catch_stop_signals();
  const auto transport = cli::choose_transport(options.demo);
  if (!transport) return cli::report(transport.error(), globals);
  std::string directory = access("/run", W_OK) == 0 ? "/run/" : "/tmp/";
  directory += "phalanx-perf-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return cli::report(system_error("cannot make a directory like " + directory, "mkdtemp", errno),
                       globals);
  }
  const DemoCluster::Places places{.directory = directory, .runtime_directory = directory + "/run"};
  return cli::supervise([&] { return orchestrate(options, globals, *transport, places, work); },
                        {directory});
}

ExitCode run_bench(BenchOptions options, const cli::Globals& globals, const BenchWork& work) {
  return run_cluster(
      options, globals,
      [&](const cli::DemoTransport& transport, DemoCluster& cluster) -> Expected<bool, Error> {
        auto crew = DemoCrew::start(options.demo, cluster);
        if (!crew) return fail(crew.error());
        if (auto joined = crew->wait_joined(kPatience); !joined) return fail(joined.error());
        return work(transport, cluster, *crew);
      });
}

std::string await_same_order(DemoCrew& crew, std::size_t nodes) {
  crew.board().phase.store(cli::Phase::Wait, std::memory_order_release);
  std::string differs;
  const TimeNs end = monotonic_now() + 10 * kSecond;
  do {
    usleep(200'000);
    differs = difference(crew, nodes);
  } while (!differs.empty() && monotonic_now() < end);
  return differs;
}

}  // namespace phalanx::perf
