#include "perf/replica/replica_bench.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/cli/demo/process.h"
#include "perf/failover/bench_cluster.h"
#include "perf/failover/fault.h"
#include "perf/replica/bank.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using cli::DemoCrew;
using Banks = std::vector<std::unique_ptr<Bank>>;

constexpr TimeNs kPatience = 30 * kSecond;
/// A side's operations while it is alone: for each of the accounts, on average, one or more.
constexpr double kSideOperationsPerS = 20'000;

struct Options {
  BenchOptions cluster;
  double seconds = 3;
  std::uint64_t accounts = 10'000;
};

struct ReplicaReport {
  double operations_per_s = 0;  ///< Applied by each replica, submitted by all.
  double cpu_us = 0;            ///< Of all processes, for one operation on all nodes.
  double load_gap_ms = 0;       ///< Longest time in which one applied nothing, before the join.
  double join_ms = 0;           ///< From opening to the agreed state, under load.
  double join_gap_ms = 0;       ///< Longest time meanwhile in which another one applied nothing.
  double merge_ms = -1;         ///< From the view of all to equal states everywhere.
  std::uint64_t merged = 0;
  std::string differs;
};

Error failed(const char* what, const std::string& observed) {
  return {.attempted = what, .observed = observed, .remedy = {}};
}

template <class Condition>
Expected<void, Error> await(const char* what, const Condition& condition) {
  const TimeNs end = monotonic_now() + kPatience;
  while (!condition()) {
    if (monotonic_now() > end) return fail(failed(what, "nothing in 30 s"));
    usleep(500);
  }
  return {};
}

bool all_live(const Banks& banks, std::size_t members) {
  return std::all_of(banks.begin(), banks.end(),
                     [&](const auto& bank) { return bank->live && bank->members == members; });
}

bool all_equal(const Banks& banks) {
  return std::all_of(banks.begin(), banks.end(), [&](const auto& bank) {
    return bank->live && bank->pending == 0 && bank->digest == banks[0]->digest;
  });
}

/// When a node last saw a view of all nodes.
class ViewWatch {
 public:
  ViewWatch(const cli::Instance& instance, std::size_t nodes) : nodes_(nodes) {
    phx_options options{};
    options.struct_bytes = sizeof options;
    options.instance = instance.name.c_str();
    options.runtime_directory = instance.runtime_directory.c_str();
    options.context = this;
    options.callbacks.node_view = [](void* context, phx_handle, const phx_node_view* view) {
      auto& self = *static_cast<ViewWatch*>(context);
      if (view->member_count == self.nodes_) self.whole_at = monotonic_now();
    };
    if (phx_initialize(&options, &handle_) != PHX_OK) return;
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) (void)phx_dispatch(handle_, PHX_DISPATCH_ALL, 20);
    });
  }
  ~ViewWatch() {
    thread_ = {};
    if (handle_ != 0) (void)phx_finalize(handle_);
  }
  ViewWatch(const ViewWatch&) = delete;
  ViewWatch& operator=(const ViewWatch&) = delete;
  std::atomic<TimeNs> whole_at = 0;

 private:
  std::size_t nodes_;
  phx_handle handle_ = 0;
  std::jthread thread_;
};

double cpu_seconds(const DemoCluster& cluster) {
  std::uint64_t sum = cli::usage_of(getpid()).cpu_ns;
  for (std::size_t node = 1; node <= cluster.size(); ++node) {
    sum += cli::usage_of(cluster.dataplane(node)).cpu_ns;
    sum += cli::usage_of(cluster.controlplane(node)).cpu_ns;
  }
  return static_cast<double>(sum) / 1e9;
}

Expected<Banks, Error> open_all(const Options& options, const DemoCluster& cluster, double rate) {
  Banks banks;
  for (std::size_t node = 1; node <= cluster.size(); ++node) {
    banks.push_back(std::make_unique<Bank>(Bank::Options{.instance = cluster.instance(node),
                                                         .accounts = options.accounts,
                                                         .operations_per_s = rate}));
    if (banks.back()->opened() != PHX_OK)
      return fail(failed("open a replica", phx_strerror(banks.back()->opened())));
  }
  if (auto done = await("all replicas live", [&] { return all_live(banks, banks.size()); }); !done)
    return fail(done.error());
  return banks;
}

/// As many operations as the replicas take; then one more joins while they go on.
Expected<void, Error> measure_load(const Options& options, const DemoCluster& cluster,
                                   ReplicaReport& report) {
  auto banks = open_all(options, cluster, 0);
  if (!banks) return fail(banks.error());
  usleep(300'000);
  for (const auto& bank : *banks) bank->gap_max = 0;
  const std::uint64_t before = (*banks)[0]->operations;
  const double cpu = cpu_seconds(cluster);
  const TimeNs begin = monotonic_now();
  usleep(static_cast<useconds_t>(options.seconds * 1e6));
  const auto done = static_cast<double>((*banks)[0]->operations - before);
  report.operations_per_s = done / (static_cast<double>(monotonic_now() - begin) / 1e9);
  report.cpu_us = done > 0 ? (cpu_seconds(cluster) - cpu) * 1e6 / done : 0;

  for (const auto& bank : *banks) {
    report.load_gap_ms = std::max(report.load_gap_ms, static_cast<double>(bank->gap_max) / 1e6);
    bank->gap_max = 0;
  }
  Bank joiner({.instance = cluster.instance(1), .accounts = options.accounts, .submits = false});
  if (joiner.opened() != PHX_OK) return fail(failed("join", phx_strerror(joiner.opened())));
  if (auto live = await("the joiner is live", [&] { return joiner.live.load(); }); !live)
    return fail(live.error());
  report.join_ms = static_cast<double>(joiner.live_at - joiner.opened_at) / 1e6;
  for (const auto& bank : *banks) {
    report.join_gap_ms = std::max(report.join_gap_ms, static_cast<double>(bank->gap_max) / 1e6);
    bank->pause(true);
  }
  if (!await("equal states",
             [&] { return all_equal(*banks) && joiner.digest == (*banks)[0]->digest; }))
    report.differs = "after the load the replicas differ";
  return {};
}

/// The last node alone, the others together: each side changes every account, then they meet.
Expected<void, Error> measure_merge(const Options& options, DemoCluster& cluster,
                                    ReplicaReport& report) {
  const Fault* partition = find_fault("partition");
  if (partition == nullptr || geteuid() != 0) return {};  // It cuts links in namespaces.
  auto banks = open_all(options, cluster, kSideOperationsPerS);
  if (!banks) return fail(banks.error());
  for (const auto& bank : *banks) bank->pause(true);
  ViewWatch watch(cluster.instance(1), cluster.size());
  if (auto cut = partition->inject(cluster, {}); !cut) return fail(cut.error());
  const Bank& last = *banks->back();
  const Bank& first = *banks->front();
  if (auto apart = await("two sides",
                         [&] {
                           return last.live && last.members == 1 && first.live &&
                                  first.members == cluster.size() - 1;
                         });
      !apart)
    return fail(apart.error());
  const std::uint64_t here = first.operations + options.accounts;
  const std::uint64_t there = last.operations + options.accounts;
  for (const auto& bank : *banks) bank->pause(false);
  if (auto busy = await("operations on both sides",
                        [&] { return first.operations >= here && last.operations >= there; });
      !busy)
    return fail(busy.error());
  for (const auto& bank : *banks) bank->pause(true);
  if (auto quiet = await("quiet sides", [&] { return first.pending == 0 && last.pending == 0; });
      !quiet)
    return fail(quiet.error());
  watch.whole_at = 0;
  if (auto healed = partition->mend(cluster); !healed) return fail(healed.error());
  if (!await("equal states", [&] {
        return watch.whole_at != 0 && all_live(*banks, cluster.size()) && all_equal(*banks);
      })) {
    report.differs = "after the merge the replicas differ";
    return {};
  }
  TimeNs end = 0;
  for (const auto& bank : *banks) {
    end = std::max(end, bank->live_at.load());
    report.merged = std::max(report.merged, bank->merged.load());
  }
  report.merge_ms = static_cast<double>(end - watch.whole_at) / 1e6;
  return {};
}

void print(const ReplicaReport& r, const Options& o, bool as_json) {
  if (as_json) {
    const nlohmann::ordered_json out = {{"version", 1},
                                        {"nodes", o.cluster.demo.nodes},
                                        {"accounts", o.accounts},
                                        {"operations_per_s", r.operations_per_s},
                                        {"cpu_us_per_operation", r.cpu_us},
                                        {"load_gap_max_ms", r.load_gap_ms},
                                        {"join_ms", r.join_ms},
                                        {"join_gap_max_ms", r.join_gap_ms},
                                        {"merge_ms", r.merge_ms},
                                        {"merged", r.merged},
                                        {"differs", r.differs}};
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf(
      "operations  %.0f k/s, each on %lu nodes; %.2f us of processor time for one, all told\n",
      r.operations_per_s / 1e3, static_cast<unsigned long>(o.cluster.demo.nodes), r.cpu_us);
  std::printf(
      "join        %.1f ms to the state of %lu accounts under that load; the others applied\n"
      "            nothing for %.1f ms at most (before: %.1f ms)\n",
      r.join_ms, static_cast<unsigned long>(o.accounts), r.join_gap_ms, r.load_gap_ms);
  if (r.merge_ms >= 0) {
    std::printf("merge       %.1f ms from the view to equal states; %lu operations merged\n",
                r.merge_ms, static_cast<unsigned long>(r.merged));
  } else {
    std::printf("merge       not measured: it cuts links, which needs root\n");
  }
  if (!r.differs.empty()) std::printf("WRONG       %s\n", r.differs.c_str());
}

}  // namespace

void add_replica_bench(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command =
      root.add("replica", "A replicated state: operations, a joiner under load, a merge.");
  add_cluster_options(command, o->cluster);
  command.seconds("--seconds", o->seconds, "How long operations are counted")
      .number("--accounts", o->accounts, {1, 1'000'000}, "Of the bank that is replicated")
      .run([&globals, o] {
        return run_bench(o->cluster, globals,
                         [&](const cli::DemoTransport&, DemoCluster& cluster,
                             DemoCrew&) -> Expected<bool, Error> {
                           ReplicaReport report;
                           if (auto done = measure_load(*o, cluster, report); !done)
                             return fail(done.error());
                           if (auto done = measure_merge(*o, cluster, report); !done)
                             return fail(done.error());
                           print(report, *o, globals.json);
                           return report.differs.empty();
                         });
      });
}

}  // namespace phalanx::perf
