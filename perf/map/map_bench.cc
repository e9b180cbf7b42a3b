#include "perf/map/map_bench.h"

#include <phalanx/map.h>

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

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using cli::DemoCrew;

struct Options {
  BenchOptions cluster;
  double seconds = 2;
  std::uint64_t clients = 1000;
};

struct MapReport {
  double reads_per_s = 0;    ///< Of one client, a key of the configuration each.
  double changes_per_s = 0;  ///< Set by one client and told to another, one after the other.
  std::uint64_t lost = 0;
  std::uint64_t clients = 0;
  double rss_mb = 0;  ///< Of the control plane, with that many clients of the map.
};

Error failed(const char* call, phx_status status) {
  return {.attempted = call, .observed = phx_strerror(status), .remedy = {}};
}

/// Closes itself.
class Map {
 public:
  Map() = default;
  Map(Map&& other) noexcept : map_(std::exchange(other.map_, 0)) {}
  Map& operator=(Map&&) = delete;
  ~Map() {
    if (map_ != 0) phx_map_close(map_);
  }
  [[nodiscard]] phx_status open(const cli::Instance& instance) {
    phx_map_options options{};
    options.struct_bytes = sizeof options;
    options.instance = instance.name.c_str();
    options.runtime_directory = instance.runtime_directory.c_str();
    return phx_map_open(&options, &map_);
  }
  [[nodiscard]] phx_map get() const { return map_; }

 private:
  phx_map map_ = 0;
};

/// How often `once` succeeds in a second, for so long.
template <class Once>
Expected<double, Error> rate_of(double seconds, const Once& once) {
  const TimeNs start = monotonic_now();
  const TimeNs end = start + static_cast<TimeNs>(seconds * 1e9);
  std::uint64_t count = 0;
  while (monotonic_now() < end) {
    for (int i = 0; i < 64; ++i) {
      if (const phx_status status = once(); status != PHX_OK) return fail(failed("map", status));
    }
    count += 64;
  }
  return static_cast<double>(count) / (static_cast<double>(monotonic_now() - start) / 1e9);
}

/// Counted by the thread that dispatches.
struct Told {
  std::atomic<std::uint64_t> changes = 0;
  std::atomic<std::uint64_t> lost = 0;
};

Expected<void, Error> measure_changes(const cli::Instance& instance, double seconds,
                                      MapReport& report) {
  Map watcher;
  Map writer;
  Told told;
  const auto on_event = [](void* context, phx_map, const phx_map_event* event) {
    auto& self = *static_cast<Told*>(context);
    if (event->event == PHX_MAP_LOST) self.lost += event->lost;
    ++self.changes;
  };
  phx_status status = watcher.open(instance);
  if (status == PHX_OK) status = writer.open(instance);
  if (status == PHX_OK) {
    status =
        phx_map_track_add(watcher.get(), "bench.", PHX_MAP_ADD | PHX_MAP_MODIFY | PHX_MAP_PREFIX,
                          on_event, &told, nullptr);
  }
  if (status != PHX_OK) return fail(failed("watch the map", status));
  std::jthread reader([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) (void)phx_map_dispatch(watcher.get(), PHX_DISPATCH_ALL, 50);
  });
  std::uint64_t value = 0;
  const auto rate =
      rate_of(seconds, [&] { return phx_map_set_u64(writer.get(), "bench.x", ++value); });
  if (!rate) return fail(rate.error());
  const TimeNs end = monotonic_now() + kSecond;
  while (told.changes + told.lost < value && monotonic_now() < end) std::this_thread::yield();
  reader.request_stop();
  reader.join();
  report.changes_per_s = *rate;
  report.lost = told.lost + (value - std::min(value, told.changes.load()));
  return {};
}

Expected<MapReport, Error> measure(const Options& options, const DemoCluster& cluster) {
  MapReport report;
  const cli::Instance instance = cluster.instance(1);
  {
    Map map;
    if (const phx_status status = map.open(instance); status != PHX_OK) {
      return fail(failed("open the map", status));
    }
    std::int64_t lanes = 0;
    const auto reads = rate_of(options.seconds,
                               [&] { return phx_map_get_i64(map.get(), "cluster.lanes", &lanes); });
    if (!reads) return fail(reads.error());
    report.reads_per_s = *reads;
  }
  if (auto done = measure_changes(instance, options.seconds, report); !done) {
    return fail(done.error());
  }
  std::vector<Map> clients;
  while (clients.size() < options.clients) {
    Map map;
    if (const phx_status status = map.open(instance); status != PHX_OK) {
      std::fprintf(stderr, "note: the map takes no more than %zu clients: %s\n", clients.size(),
                   phx_strerror(status));
      break;
    }
    clients.push_back(std::move(map));
  }
  report.clients = clients.size();
  report.rss_mb = static_cast<double>(cli::usage_of(cluster.controlplane(1)).rss_bytes) / 1e6;
  return report;
}

void print(const MapReport& r, bool as_json) {
  if (as_json) {
    const nlohmann::ordered_json out = {
        {"version", 1},   {"reads_per_s", r.reads_per_s}, {"changes_per_s", r.changes_per_s},
        {"lost", r.lost}, {"clients", r.clients},         {"controlplane_rss_mb", r.rss_mb}};
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("reads     %.0f k/s by one client\n", r.reads_per_s / 1e3);
  std::printf("changes   %.1f k/s by one client, told to another; %lu not told\n",
              r.changes_per_s / 1e3, r.lost);
  std::printf("memory    %.1f MB of the control plane with %lu clients of the map\n", r.rss_mb,
              r.clients);
}

}  // namespace

void add_map_bench(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command =
      root.add("map", "The configuration map: reads, watched changes, memory for many clients.");
  add_cluster_options(command, o->cluster);
  command.seconds("--seconds", o->seconds, "How long each")
      .number("--clients", o->clients, {1, 10'000}, "Clients of the map at once")
      .run([&globals, o] {
        return run_bench(o->cluster, globals,
                         [&](const cli::DemoTransport&, DemoCluster& cluster,
                             DemoCrew&) -> Expected<bool, Error> {
                           const auto report = measure(*o, cluster);
                           if (!report) return fail(report.error());
                           print(*report, globals.json);
                           return report->lost == 0;
                         });
      });
}

}  // namespace phalanx::perf
