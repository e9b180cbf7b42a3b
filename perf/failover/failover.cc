#include "perf/failover/failover.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/demo/options.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/demo/supervise.h"
#include "controlplane/cli/demo/transport.h"
#include "controlplane/cli/stop_signal.h"
#include "perf/failover/report.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using cli::DemoCrew;
using cli::DemoOptions;

constexpr TimeNs kPatience = 30 * kSecond;

struct Options {
  DemoOptions demo;
  std::string only;  ///< Names with commas between; empty: all.
  std::uint64_t kills = 200;
  std::uint64_t runs = 20;
  std::uint64_t rate_per_s = 20'000;
  std::uint64_t dead_after_ms = 50;
  std::uint64_t stall_after_ms = 500;
};

Expected<std::vector<const Fault*>, Error> wanted(const std::string& only) {
  std::vector<const Fault*> out;
  std::istringstream names(only);
  for (std::string name; std::getline(names, name, ',');) {
    const Fault* fault = find_fault(name);
    if (fault != nullptr) {
      out.push_back(fault);
      continue;
    }
    std::string known;
    for (const Fault& each : faults()) known += std::string(known.empty() ? "" : ", ") + each.name;
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "no fault is called \"" + name + "\"",
                      .remedy = "--faults takes, with commas between: " + known});
  }
  if (!out.empty()) return out;
  for (const Fault& fault : faults()) out.push_back(&fault);
  return out;
}

/// Those that the order of one survivor differs from the first one's.
std::string difference(DemoCrew& crew, std::size_t nodes) {
  for (std::size_t i = 1; i < crew.size(); ++i) {
    if (crew.node_of(i) == nodes) continue;
    const cli::Comparison result =
        cli::compare(cli::sequence_of(crew.slot(0)), cli::sequence_of(crew.slot(i)));
    if (result.agree && result.items > 0 && result.from_the_start) continue;
    return "client " + std::to_string(i) + ": " +
           (result.agree ? "it was in other views for a time" : result.why);
  }
  return "";
}

/// Until nothing is under way: equal at all survivors, or for good not.
std::string settle(DemoCrew& crew, std::size_t nodes) {
  crew.board().phase.store(cli::Phase::Wait, std::memory_order_release);
  std::string differs;
  const TimeNs end = monotonic_now() + 10 * kSecond;
  do {
    usleep(200'000);
    differs = difference(crew, nodes);
  } while (!differs.empty() && monotonic_now() < end);
  return differs;
}

Expected<FailoverReport, Error> measure(const Options& options, const cli::DemoTransport& transport,
                                        const std::vector<const Fault*>& plan,
                                        DemoCluster& cluster) {
  if (auto whole = cluster.wait_whole(kPatience); !whole) return fail(whole.error());
  auto crew = DemoCrew::start(options.demo, cluster);
  if (!crew) return fail(crew.error());
  if (auto joined = crew->wait_joined(kPatience); !joined) return fail(joined.error());
  crew->board().rate_per_s.store(options.rate_per_s);
  crew->board().phase.store(cli::Phase::Steady, std::memory_order_release);
  usleep(1'500'000);
  FailoverReport report{.transport = transport.name(),
                        .nodes = options.demo.nodes,
                        .dead_after = options.demo.dead_after,
                        .stall_after = options.demo.stall_after,
                        .rate_per_s = options.rate_per_s};
  Bench bench(cluster, *crew);
  for (const Fault* fault : plan) {
    if (fault->needs_namespaces && (transport.memif || !cluster.network().has_namespaces())) {
      cli::show_step(std::string(fault->name) + ": left out, " +
                     (transport.memif ? "memif has no cable" : "it needs root"));
      continue;
    }
    cli::show_step(std::string(fault->name) + ": " + fault->told);
    FailoverReport::Row row{.fault = fault, .trials = {}};
    const std::uint64_t runs = fault->often ? options.kills : options.runs;
    while (row.trials.size() < runs) {
      auto trial = bench.run(*fault);
      if (!trial) return fail(trial.error());
      row.trials.push_back(std::move(*trial));
      cli::show_progress(std::to_string(row.trials.size()) + " of " + std::to_string(runs));
    }
    report.rows.push_back(std::move(row));
  }
  report.differs = settle(*crew, options.demo.nodes);
  report.agree = report.differs.empty();
  return report;
}

ExitCode work(const Options& options, const cli::Globals& globals,
              const std::vector<const Fault*>& plan, const cli::DemoTransport& transport,
              const DemoCluster::Places& places) {
  cli::catch_stop_signals();
  cli::show_step(transport.told);
  auto network = geteuid() == 0 ? cli::DemoNetwork::in_namespaces(options.demo.nodes)
                                : cli::DemoNetwork::on_loopback(options.demo.nodes);
  if (!network) return cli::report(network.error(), globals);
  auto cluster = DemoCluster::start(options.demo, places, std::move(*network), transport.memif);
  if (!cluster) return cli::report(cluster.error(), globals);
  const auto report = measure(options, transport, plan, *cluster);
  if (!report) {
    const ExitCode code = cli::report(report.error(), globals);
    if (!cli::stop_requested()) std::fputs(cluster->logs().c_str(), stderr);
    return code;
  }
  std::fputs((globals.json ? failover_json(*report) : failover_text(*report)).c_str(), stdout);
  return report->agree ? ExitCode::Fine : ExitCode::Failed;
}

ExitCode run(Options options, const cli::Globals& globals) {
  const auto plan = wanted(options.only);
  if (!plan) return cli::report(plan.error(), globals);
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
  return cli::supervise([&] { return work(options, globals, *plan, *transport, places); },
                        {directory});
}

}  // namespace

void add_failover(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  o->demo.transport = "udp";
  root.add("failover",
           "Lose the last node in several ways, again and again: time to the new view, longest "
           "gap, time back.")
      .number("--nodes", o->demo.nodes, {3, 16}, "Nodes")
      .word("--transport", o->demo.transport, {"auto", "udp", "dpdk"}, "How frames travel")
      .text("--faults", o->only, "Which, with commas between; all of them when not given", "NAMES")
      .number("--kills", o->kills, {1, 1000}, "Trials of each kill")
      .number("--runs", o->runs, {1, 1000}, "Trials of each other fault")
      .number("--rate", o->rate_per_s, {100, 10'000'000}, "Messages a second meanwhile")
      .number("--dead-after", o->dead_after_ms, {10, 10'000}, "cluster.dead_after, milliseconds")
      .number("--stall-after", o->stall_after_ms, {50, 60'000}, "cluster.stall_after, milliseconds")
      .run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
