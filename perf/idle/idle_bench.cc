#include "perf/idle/idle_bench.h"

#include <unistd.h>

#include <memory>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/stop_signal.h"
#include "perf/failover/bench_cluster.h"
#include "perf/harness/result.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;

struct Options {
  BenchOptions cluster;
  std::uint64_t runs = 5;
  double seconds = 2;
};

/// Of one daemon of every node.
struct Kind {
  const char* name;
  pid_t (*process)(const DemoCluster&, std::size_t node);
};
constexpr Kind kKinds[] = {
    {"dataplane", [](const DemoCluster& c, std::size_t node) { return c.dataplane(node); }},
    {"controlplane", [](const DemoCluster& c, std::size_t node) { return c.controlplane(node); }}};

cli::Usage usage_of_all(const DemoCluster& cluster, const Kind& kind) {
  cli::Usage sum;
  for (std::size_t node = 1; node <= cluster.size(); ++node) {
    const cli::Usage one = cli::usage_of(kind.process(cluster, node));
    sum.cpu_ns += one.cpu_ns;
    sum.rss_bytes += one.rss_bytes;
  }
  return sum;
}

Expected<Point, Error> measure(const Options& options, const DemoCluster& cluster) {
  Point point{.at = {{"nodes", cluster.size()}}, .figures = {}, .latencies = {}};
  const auto nodes = static_cast<double>(cluster.size());
  std::vector<Figure> cpu, memory;
  for (const Kind& kind : kKinds) {
    cpu.push_back({.name = std::string(kind.name) + "_core_percent",
                   .unit = "%",
                   .more_is_better = false,
                   .runs = {}});
    memory.push_back({.name = std::string(kind.name) + "_rss_mb",
                      .unit = "MB",
                      .more_is_better = false,
                      .runs = {}});
  }
  for (std::uint64_t run = 0; run <= options.runs; ++run) {  // The first is dropped.
    std::vector<std::uint64_t> before;
    for (const Kind& kind : kKinds) before.push_back(usage_of_all(cluster, kind).cpu_ns);
    const TimeNs begin = monotonic_now();
    usleep(static_cast<useconds_t>(options.seconds * 1e6));
    if (cli::stop_requested()) return fail(Error{.attempted = "interrupted"});
    const auto took = static_cast<double>(monotonic_now() - begin);
    for (std::size_t i = 0; run > 0 && i < std::size(kKinds); ++i) {
      const cli::Usage now = usage_of_all(cluster, kKinds[i]);
      cpu[i].runs.push_back(static_cast<double>(now.cpu_ns - before[i]) / took / nodes * 100);
      memory[i].runs.push_back(static_cast<double>(now.rss_bytes) / nodes / 1e6);
    }
  }
  for (auto* each : {&cpu, &memory})
    point.figures.insert(point.figures.end(), each->begin(), each->end());
  return point;
}

ExitCode run(const Options& options, const cli::Globals& globals) {
  return run_cluster(
      options.cluster, globals,
      [&](const cli::DemoTransport& transport, DemoCluster& cluster) -> Expected<bool, Error> {
        auto point = measure(options, cluster);
        if (!point) return fail(point.error());
        const Result result{.benchmark = "idle",
                            .parameters = {{"transport", transport.name()},
                                           {"seconds", options.seconds},
                                           {"per", "node"}},
                            .points = {std::move(*point)},
                            .trouble = {}};
        return print_result(result, globals) == ExitCode::Fine;
      });
}

}  // namespace

void add_idle(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command = root.add(
      "idle", "A cluster that has nothing to do: processor time and memory of a node's daemons.");
  add_cluster_options(command, o->cluster);
  command.number("--runs", o->runs, {1, 1000}, "Measured runs; one more is dropped")
      .seconds("--seconds", o->seconds, "How long a run")
      .run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
