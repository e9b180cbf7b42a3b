#include "perf/failover/failover.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <sstream>

#include "controlplane/cli/demo/progress.h"
#include "perf/failover/bench_cluster.h"
#include "perf/failover/report.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using cli::DemoCrew;

struct Options {
  BenchOptions cluster;
  std::string only;  ///< Names with commas between; empty: all.
  std::uint64_t kills = 200;
  std::uint64_t runs = 20;
  std::uint64_t rate_per_s = 20'000;
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

Expected<FailoverReport, Error> measure(const Options& options,
                                        const std::vector<const Fault*>& plan,
                                        const cli::DemoTransport& transport, DemoCluster& cluster,
                                        DemoCrew& crew) {
  crew.board().rate_per_s.store(options.rate_per_s);
  crew.board().phase.store(cli::Phase::Steady, std::memory_order_release);
  usleep(1'500'000);
  FailoverReport report{
      .transport = transport.name(),
      .nodes = cluster.size(),
      .dead_after = static_cast<TimeNs>(options.cluster.dead_after_ms) * kMillisecond,
      .stall_after = static_cast<TimeNs>(options.cluster.stall_after_ms) * kMillisecond,
      .rate_per_s = options.rate_per_s};
  Bench bench(cluster, crew);
  for (const Fault* fault : plan) {
    if (fault->needs_namespaces &&
        (transport.has_no_cable() || !cluster.network().has_namespaces())) {
      cli::show_step(std::string(fault->name) + ": left out, " +
                     (transport.has_no_cable() ? "shared memory has no cable" : "it needs root"));
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
  report.differs = await_same_order(crew, cluster.size());
  report.agree = report.differs.empty();
  return report;
}

ExitCode run(const Options& options, const cli::Globals& globals) {
  const auto plan = wanted(options.only);
  if (!plan) return cli::report(plan.error(), globals);
  return run_bench(options.cluster, globals,
                   [&](const cli::DemoTransport& transport, DemoCluster& cluster,
                       DemoCrew& crew) -> Expected<bool, Error> {
                     const auto report = measure(options, *plan, transport, cluster, crew);
                     if (!report) return fail(report.error());
                     std::fputs(
                         (globals.json ? failover_json(*report) : failover_text(*report)).c_str(),
                         stdout);
                     return report->agree;
                   });
}

}  // namespace

void add_failover(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command =
      root.add("failover",
               "Lose the last node in several ways, again and again: time to the new view, longest "
               "gap, time back.");
  add_cluster_options(command, o->cluster);
  command
      .text("--faults", o->only, "Which, with commas between; all of them when not given", "NAMES")
      .number("--kills", o->kills, {1, 1000}, "Trials of each kill")
      .number("--runs", o->runs, {1, 1000}, "Trials of each other fault")
      .number("--rate", o->rate_per_s, {100, 10'000'000}, "Messages a second meanwhile")
      .run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
