#include "perf/failover/calm.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/stop_signal.h"
#include "perf/failover/bench_cluster.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using cli::DemoCrew;

struct Options {
  BenchOptions cluster;
  double seconds = 60;
  std::uint64_t stop_ms = 0;
};

struct CalmReport {
  double seconds = 0;
  double rate_per_s = 0;
  std::uint64_t stops = 0;  ///< Times that the last node's data plane was stopped for a while.
  std::size_t views = 0;    ///< That any client was told of since all had joined: none is right.
  TimeNs gap = 0;           ///< The longest time that a client had nothing delivered.
  std::string differs;
};

std::size_t views_of(DemoCrew& crew) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < crew.size(); ++i) {
    const auto points = cli::sequence_of(crew.slot(i)).checkpoints;
    most = std::max<std::size_t>(
        most, static_cast<std::size_t>(std::ranges::count_if(points, [](const auto& point) {
          return point.kind == cli::Checkpoint::Kind::View;
        })));
  }
  return most;
}

/// The last node's data plane does not run for so long; then it is given as long again.
void stop_for(pid_t process, std::uint64_t ms) {
  kill(process, SIGSTOP);
  usleep(static_cast<useconds_t>(ms * 1000));
  kill(process, SIGCONT);
  usleep(static_cast<useconds_t>(ms * 1000));
}

Expected<CalmReport, Error> watch(const Options& options, DemoCluster& cluster, DemoCrew& crew) {
  const std::size_t before = views_of(crew);
  const pid_t last = cluster.dataplane(cluster.size());
  const std::uint64_t delivered = crew.slot(0).delivered.load(std::memory_order_acquire);
  CalmReport report;
  crew.board().phase.store(cli::Phase::Flood, std::memory_order_release);
  usleep(500'000);
  crew.board().gap_round.fetch_add(1);
  const TimeNs start = monotonic_now();
  const TimeNs end = start + static_cast<TimeNs>(options.seconds * 1e9);
  while (monotonic_now() < end) {
    if (cli::stop_requested()) return fail(Error{.attempted = "interrupted"});
    if (const std::string why = crew.trouble(); !why.empty()) {
      return fail(Error{.attempted = "a client failed", .observed = why});
    }
    if (options.stop_ms == 0) {
      usleep(100'000);
    } else {
      stop_for(last, options.stop_ms);
      ++report.stops;
    }
    cli::show_progress(std::to_string((monotonic_now() - start) / kSecond) + " s");
  }
  report.seconds = static_cast<double>(monotonic_now() - start) / 1e9;
  report.rate_per_s =
      static_cast<double>(crew.slot(0).delivered.load(std::memory_order_acquire) - delivered) /
      report.seconds;
  for (std::size_t i = 0; i < crew.size(); ++i) {
    report.gap = std::max<TimeNs>(report.gap, crew.slot(i).gap_ns.load(std::memory_order_acquire));
  }
  report.differs = await_same_order(crew, cluster.size() + 1);
  report.views = views_of(crew) - before;
  return report;
}

bool is_calm(const CalmReport& r) { return r.views == 0 && r.differs.empty(); }

void print(const CalmReport& r, bool json) {
  const double gap_ms = static_cast<double>(r.gap) / 1e6;
  if (json) {
    const nlohmann::ordered_json out = {
        {"version", 1},     {"seconds", r.seconds},    {"rate_msgs_per_s", r.rate_per_s},
        {"stops", r.stops}, {"view_changes", r.views}, {"gap_ms", gap_ms},
        {"ok", is_calm(r)}};
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%.0f s at %.2f M messages/s, %lu stops, longest gap %.1f ms: %zu view changes\n",
              r.seconds, r.rate_per_s / 1e6, r.stops, gap_ms, r.views);
  if (!r.differs.empty()) std::printf("order: DIFFERS: %s\n", r.differs.c_str());
  std::printf("%s\n", is_calm(r) ? "ok" : "FAILED");
}

ExitCode run(const Options& options, const cli::Globals& globals) {
  if (options.stop_ms >= options.cluster.stall_after_ms) {
    return cli::report({.code = ExitCode::Usage,
                        .attempted = "--stop-ms is not below stall_after",
                        .observed = std::to_string(options.stop_ms) + " and " +
                                    std::to_string(options.cluster.stall_after_ms) + " ms",
                        .remedy = "a node that is stopped for longer is left out, and rightly"},
                       globals);
  }
  return run_bench(options.cluster, globals,
                   [&](const cli::DemoTransport&, DemoCluster& cluster,
                       DemoCrew& crew) -> Expected<bool, Error> {
                     const auto report = watch(options, cluster, crew);
                     if (!report) return fail(report.error());
                     print(*report, globals.json);
                     return is_calm(*report);
                   });
}

}  // namespace

void add_calm(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command = root.add(
      "calm",
      "Full speed without a fault: does anybody accuse the innocent? Start load beside it.");
  add_cluster_options(command, o->cluster);
  command.seconds("--seconds", o->seconds, "How long")
      .number("--stop-ms", o->stop_ms, {0, 10'000},
              "Stop the last node's data plane for so long, again and again; 0: never")
      .run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
