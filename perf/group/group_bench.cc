#include "perf/group/group_bench.h"

#include <memory>

#include "config/value.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/output.h"
#include "perf/failover/bench_cluster.h"
#include "perf/group/find_max.h"
#include "perf/group/measure.h"
#include "perf/harness/placement.h"
#include "perf/harness/result.h"

namespace phalanx::perf {
namespace {

using cli::DemoCluster;

constexpr std::uint64_t kRateLeast = 1'000;
constexpr std::uint64_t kRateMost = 100'000'000;

struct Options {
  BenchOptions cluster;
  std::string load = "flood";
  std::string sizes = "64";
  std::string rates = "10000";
  std::string senders = "1";
  std::uint64_t outstanding = 1;
  std::uint64_t runs = 5;
  GroupTimes times;
  bool safe = false;
  bool pin = false;
  bool apart = false;
  bool find_max = false;
  std::string p999 = "50us";
};

/// What the options come to.
struct Plan {
  Load load = Load::Flood;
  std::vector<std::uint64_t> sizes, rates;
  std::uint64_t senders = 0;  ///< A bit a client.
  TimeNs p999 = 0;
};

Error usage(std::string attempted, std::string observed, std::string remedy) {
  return {.code = ExitCode::Usage,
          .attempted = std::move(attempted),
          .observed = std::move(observed),
          .remedy = std::move(remedy)};
}

Expected<Plan, Error> plan_of(const Options& o) {
  Plan plan;
  plan.load = o.find_max || o.load == "open" ? Load::Open
              : o.load == "closed"           ? Load::Closed
              : o.load == "round-trip"       ? Load::RoundTrip
                                             : Load::Flood;
  auto sizes = read_numbers("--sizes", o.sizes, kStampBytes, 16U << 20);
  if (!sizes) return fail(sizes.error());
  auto rates = read_numbers("--rates", o.rates, 1, kRateMost);
  if (!rates) return fail(rates.error());
  const auto senders = read_numbers("--senders", o.senders, 1, o.cluster.demo.nodes);
  if (!senders) return fail(senders.error());
  for (const std::uint64_t sender : *senders) plan.senders |= 1ULL << (sender - 1);
  if (plan.load == Load::RoundTrip && senders->size() != 1)
    return fail(usage("a round trip has one sender", "--senders " + o.senders,
                      "name one node; the next one answers"));
  if (plan.load == Load::RoundTrip && o.cluster.demo.nodes < 2)
    return fail(usage("a round trip goes through another node", "--nodes 1", "--nodes 2 or more"));
  if (o.apart && o.pin)
    return fail(usage("--pin puts clients beside their workers, and --apart does not",
                      "both are there", "leave one out"));
  if (o.find_max && o.load != "flood" && o.load != "open")
    return fail(
        usage("--find-max offers messages by a timetable", "--load " + o.load, "leave --load out"));
  const auto limit = config::parse_duration(o.p999);
  if (!limit || *limit <= 0)
    return fail(
        usage("--p999 takes a time",
              "\"" + cli::escaped(o.p999) + "\" " + (limit ? "is not above 0" : limit.error()),
              "--p999 50us"));
  plan.sizes = std::move(*sizes);
  plan.rates = plan.load == Load::Open ? std::move(*rates) : std::vector<std::uint64_t>{0};
  plan.p999 = static_cast<TimeNs>(*limit);
  return plan;
}

/// The orderer's node on a processor, the others on another, each worker beside its client or,
/// `apart`, on the other one.
void place(const DemoCluster& cluster, const GroupCrew& crew, bool apart) {
  for (std::size_t i = 0; i < crew.size(); ++i) {
    const bool second = i != 0;
    (void)bind_process(cluster.dataplane(i + 1), second ? 1 : 0);
    (void)bind_process(crew.processes()[i], second != apart ? 1 : 0);
  }
}

void add(Figure& figure, double value) { figure.runs.push_back(value); }

/// All runs of one choice of parameters.
class Runs {
 public:
  explicit Runs(const GroupWork& work) : work_(work) {}

  void take(const GroupRun& run) {
    add(rate_, run.messages_per_s);
    add(bytes_, run.messages_per_s * static_cast<double>(work_.size) / 1e6);
    add(daemon_, run.daemon_cpu_us);
    add(client_, run.client_cpu_us);
    add(gap_, run.worker_gap_ms);
    if ((work_.senders & (work_.senders - 1)) != 0) add(fairness_, run.fairness);
    if (work_.load == Load::Open) add(unsent_, static_cast<double>(run.unsent));
    own_.ns.merge(run.own_delivery);
    other_.ns.merge(run.other_delivery);
    trip_.ns.merge(run.round_trip);
  }
  [[nodiscard]] Point point(nlohmann::ordered_json at) const {
    Point out{.at = std::move(at),
              .figures = {rate_, bytes_, daemon_, client_, gap_},
              .latencies = {own_, other_, trip_}};
    for (const Figure& one : {fairness_, unsent_})
      if (!one.runs.empty()) out.figures.push_back(one);
    return out;
  }

 private:
  const GroupWork work_;
  Figure rate_{.name = "messages_per_s", .unit = "msg/s", .runs = {}};
  Figure bytes_{.name = "mb_per_s", .unit = "MB/s", .runs = {}};
  Figure daemon_{
      .name = "daemon_cpu_us_a_message", .unit = "us", .more_is_better = false, .runs = {}};
  Figure client_{
      .name = "client_cpu_us_a_message", .unit = "us", .more_is_better = false, .runs = {}};
  Figure gap_{.name = "worker_gap_ms", .unit = "ms", .more_is_better = false, .runs = {}};
  Figure fairness_{.name = "fairness", .unit = "(Jain)", .runs = {}};
  Figure unsent_{.name = "unsent", .unit = "msg", .more_is_better = false, .runs = {}};
  Latencies own_{.name = "own_delivery", .ns = {}};
  Latencies other_{.name = "delivery_elsewhere", .ns = {}};
  Latencies trip_{.name = "round_trip", .ns = {}};
};

class Bench {
 public:
  Bench(const Options& options, const Plan& plan, const DemoCluster& cluster, GroupCrew& crew)
      : options_(options), plan_(plan), cluster_(cluster), crew_(crew) {}

  Expected<std::vector<Point>, Error> all() {
    std::vector<Point> points;
    for (const std::uint64_t size : plan_.sizes) {
      if (options_.find_max) {
        auto found = find_max(size);
        if (!found) return fail(found.error());
        points.push_back(std::move(*found));
        continue;
      }
      for (const std::uint64_t rate : plan_.rates) {
        auto point = measure(size, rate);
        if (!point) return fail(point.error());
        points.push_back(std::move(*point));
      }
    }
    return points;
  }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  [[nodiscard]] GroupWork work(std::uint64_t size, std::uint64_t rate) const {
    return {.load = plan_.load,
            .size = size,
            .rate = rate,
            .outstanding = options_.outstanding,
            .senders = plan_.senders,
            .safe = options_.safe ? 1U : 0U};
  }

  Expected<GroupRun, Error> once(const GroupWork& work) {
    auto run = measure_group(crew_, cluster_, work, options_.times);
    if (run && !run->same_order) trouble_ = "clients delivered in different orders";
    return run;
  }

  Expected<Point, Error> measure(std::uint64_t size, std::uint64_t rate) {
    Runs runs(work(size, rate));
    for (std::uint64_t run = 0; run < options_.runs; ++run) {
      cli::show_progress(std::to_string(size) + " bytes, run " + std::to_string(run + 1) + " of " +
                         std::to_string(options_.runs));
      const auto found = once(work(size, rate));
      if (!found) return fail(found.error());
      runs.take(*found);
    }
    nlohmann::ordered_json at = {{"nodes", crew_.size()}, {"size", size}};
    if (plan_.load == Load::Open) at["rate"] = rate;
    if (plan_.load == Load::Closed) at["outstanding"] = options_.outstanding;
    return runs.point(std::move(at));
  }

  /// The point at the highest rate whose p99.9 stays below the limit.
  Expected<Point, Error> find_max(std::uint64_t size) {
    const auto best = find_max_rate(kRateLeast, kRateMost, [&](std::uint64_t rate) {
      return once(work(size, rate)).map([&](const GroupRun& run) {
        const bool held = run.own_delivery.total() > 0 &&
                          run.own_delivery.at(0.999) <= plan_.p999 &&
                          run.messages_per_s >= 0.99 * static_cast<double>(rate);
        cli::show_step(cli::short_number(static_cast<double>(rate)) + " msg/s: p99.9 " +
                       cli::fixed(static_cast<double>(run.own_delivery.at(0.999)) / 1e3, 1) +
                       " us" + (held ? "" : ": too much"));
        return held;
      });
    });
    if (!best) return fail(best.error());
    if (*best == 0) {
      trouble_ = "not even " + std::to_string(kRateLeast) + " messages/s of " +
                 std::to_string(size) + " bytes keep p99.9 below " + options_.p999;
      return Point{.at = {{"nodes", crew_.size()}, {"size", size}, {"rate", 0}},
                   .figures = {},
                   .latencies = {}};
    }
    return measure(size, *best);
  }

  const Options& options_;
  const Plan& plan_;
  const DemoCluster& cluster_;
  GroupCrew& crew_;
  std::string trouble_;
};

ExitCode run(const Options& o, const cli::Globals& globals) {
  const auto plan = plan_of(o);
  if (!plan) return cli::report(plan.error(), globals);
  return run_cluster(
      o.cluster, globals,
      [&](const cli::DemoTransport& transport, DemoCluster& cluster) -> Expected<bool, Error> {
        auto crew = GroupCrew::start(cluster);
        if (!crew) return fail(crew.error());
        if (o.pin || o.apart) place(cluster, *crew, o.apart);
        Bench bench(o, *plan, cluster, *crew);
        auto points = bench.all();
        if (!points) return fail(points.error());
        Result result{.benchmark = "group",
                      .parameters = {{"transport", transport.name()},
                                     {"encrypted", !o.cluster.demo.insecure},
                                     {"load", o.find_max ? "open" : o.load},
                                     {"senders", o.senders},
                                     {"safe", o.safe},
                                     {"pinned", o.pin || o.apart},
                                     {"apart", o.apart},
                                     {"seconds", o.times.seconds},
                                     {"warm_up_s", o.times.warm_up_s}},
                      .points = std::move(*points),
                      .trouble = bench.trouble()};
        if (o.find_max) result.parameters["find_max_p999"] = o.p999;
        return print_result(result, globals) == ExitCode::Fine;
      });
}

}  // namespace

void add_group(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command =
      root.add("group", "A cluster on this host: rate, latency, processor time a message.");
  // It measures a group, not how soon a busy host is taken for dead.
  o->cluster.dead_after_ms = 1'000;
  o->cluster.stall_after_ms = 5'000;
  add_cluster_options(command, o->cluster, 1);
  command.flag("--insecure", o->cluster.demo.insecure, "Without encryption")
      .word("--load", o->load, {"flood", "closed", "open", "round-trip"},
            "All that flow control lets through, so many outstanding, by a timetable, or answered "
            "by the next node")
      .text("--sizes", o->sizes, "Bytes of a message, 16 and more, commas between", "BYTES")
      .text("--rates", o->rates, "Open: messages a second of all senders, commas between", "RATES")
      .text("--senders", o->senders, "Nodes whose client sends, commas between; 1 orders at first",
            "NODES")
      .number("--outstanding", o->outstanding, {1, 100'000}, "Closed: messages of a sender")
      .flag("--safe", o->safe, "Delivered once every node holds it")
      .flag("--pin", o->pin, "Node 1 on one processor, the others on the next")
      .flag("--apart", o->apart,
            "As --pin, with each client on the processor of the others' workers")
      .flag("--find-max", o->find_max, "The highest rate that keeps --p999")
      .text("--p999", o->p999, "Limit of --find-max for the p99.9 of own delivery", "TIME")
      .number("--runs", o->runs, {1, 1000}, "Runs of each point")
      .seconds("--seconds", o->times.seconds, "How long a run")
      .seconds("--warm-up", o->times.warm_up_s, "How long before each run, dropped")
      .run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
