#include <time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "ipc/base/time_ns.h"
#include "tests/sim/checkers/violation.h"
#include "tests/sim/cluster.h"
#include "tests/sim/options.h"

namespace phalanx::sim {
namespace {

/// Read by the handler of SIGABRT and SIGSEGV: an assertion that fails is a finding too.
std::array<char, 512> crash_text{};

void on_crash(int) {
  const auto ignored = write(STDERR_FILENO, crash_text.data(), std::strlen(crash_text.data()));
  (void)ignored;
  _exit(static_cast<int>(ExitCode::Failed));
}

/// Processor time, so that a rate means the same on a busy machine.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Totals {
  std::uint64_t histories = 0;
  std::uint64_t frame_events = 0;
  std::uint64_t delivered = 0;
  std::uint64_t submitted = 0;
  std::uint64_t views = 0;
  std::uint64_t turns = 0;
  std::uint64_t hash = 0;
  TimeNs healed_after_max = 0;
  std::uint64_t healed_after_max_seed = 0;
  Observer::Coverage coverage;
  std::uint64_t violations = 0;
  std::map<std::string, std::uint64_t> by_guarantee;
};

std::string replay_command(const Options& options, const Scenario& scenario) {
  std::string out =
      "phalanx-sim --replay " + std::to_string(scenario.seed) + " --recipe " + scenario.recipe;
  if (options.sizes.nodes != 0) out += " --nodes " + std::to_string(options.sizes.nodes);
  if (options.sizes.lanes != 0) out += " --lanes " + std::to_string(options.sizes.lanes);
  if (options.sizes.faulty_for != 0) {
    out += " --faulty-ms " + std::to_string(options.sizes.faulty_for / kMillisecond);
  }
  return out;
}

void add(Totals& totals, const HistoryCounts& history, std::uint64_t seed) {
  ++totals.histories;
  totals.frame_events += history.frame_events;
  totals.delivered += history.delivered;
  totals.submitted += history.submitted;
  totals.views += history.views;
  totals.turns += history.turns;
  totals.coverage.handovers += history.coverage.handovers;
  totals.coverage.pads += history.coverage.pads;
  totals.coverage.joint_passages += history.coverage.joint_passages;
  totals.coverage.late_records += history.coverage.late_records;
  totals.coverage.group_states += history.coverage.group_states;
  totals.hash = transport::mix64(totals.hash + history.hash);
  if (history.healed_after > totals.healed_after_max) {
    totals.healed_after_max = history.healed_after;
    totals.healed_after_max_seed = seed;
  }
}

/// False when a guarantee did not hold.
bool run_history(const Options& options, const Scenario& scenario, MemoryPool& pool, Trace& trace,
                 Totals& totals) {
  const std::string replay = replay_command(options, scenario);
  std::snprintf(crash_text.data(), crash_text.size(),
                "assertion failed: recipe %s seed %llu\n  replay: %s\n", scenario.recipe.c_str(),
                static_cast<unsigned long long>(scenario.seed), replay.c_str());
  try {
    Cluster cluster(scenario, pool, trace);
    add(totals, cluster.run(), scenario.seed);
    return true;
  } catch (const Violation& violation) {
    ++totals.histories;
    ++totals.violations;
    ++totals.by_guarantee[violation.guarantee];
    std::fflush(stdout);
    std::fprintf(stderr, "VIOLATED %s: %s\n  recipe %s seed %llu\n  replay: %s\n",
                 violation.guarantee.c_str(), violation.what.c_str(), scenario.recipe.c_str(),
                 static_cast<unsigned long long>(scenario.seed), replay.c_str());
    return false;
  }
}

void report(const Options& options, const Totals& totals, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(totals.frame_events) / seconds : 0;
  const auto u = [](std::uint64_t x) { return static_cast<unsigned long long>(x); };
  if (options.json) {
    std::printf(
        "{\"version\":1,\"recipe\":\"%s\",\"histories\":%llu,\"violations\":%llu,\"frame_events\":%"
        "llu,"
        "\"frame_events_per_cpu_s\":%.0f,\"submitted\":%llu,\"delivered\":%llu,\"views\":%llu,"
        "\"healed_after_max_ms\":%.1f,\"cpu_seconds\":%.2f,\"hash\":\"%016llx\",\"ok\":%s}\n",
        options.recipe.c_str(), u(totals.histories), u(totals.violations), u(totals.frame_events),
        rate, u(totals.submitted), u(totals.delivered), u(totals.views),
        static_cast<double>(totals.healed_after_max) / 1e6, seconds, u(totals.hash),
        totals.violations == 0 ? "true" : "false");
    return;
  }
  std::printf(
      "%llu histories (%s), %llu frame events, %.2f M a processor second; %llu records submitted, "
      "%llu delivered, "
      "%llu views, %llu turns; longest heal %.0f ms (seed %llu); hash %016llx; %llu violations\n",
      u(totals.histories), options.recipe.c_str(), u(totals.frame_events), rate / 1e6,
      u(totals.submitted), u(totals.delivered), u(totals.views), u(totals.turns),
      static_cast<double>(totals.healed_after_max) / 1e6, u(totals.healed_after_max_seed),
      u(totals.hash), u(totals.violations));
  std::printf(
      "  reached: %llu hand-overs, %llu pads, %llu readers that crossed together, %llu late "
      "records, %llu "
      "group states\n",
      u(totals.coverage.handovers), u(totals.coverage.pads), u(totals.coverage.joint_passages),
      u(totals.coverage.late_records), u(totals.coverage.group_states));
  for (const auto& [name, count] : totals.by_guarantee)
    std::printf("  %s: %llu\n", name.c_str(), u(count));
}

int run(const Options& options) {
  MemoryPool pool;
  Trace trace(options.replay ? stdout : nullptr);
  if (options.replay) std::fputs(kTraceKey, stdout);
  Totals totals;
  const TimeNs begin = monotonic_now();
  const auto elapsed = [begin] { return static_cast<double>(monotonic_now() - begin) / 1e9; };
  for (std::uint64_t seed = options.first_seed; seed <= options.last_seed; ++seed) {
    const auto names = recipes();
    const std::string_view recipe =
        options.recipe == "all" ? names[seed % names.size()].name : options.recipe;
    const auto scenario = make_scenario(recipe, seed, options.sizes);
    if (!run_history(options, *scenario, pool, trace, totals) && !options.keep_going) break;
    if (options.seconds > 0 && elapsed() >= options.seconds) break;
  }
  report(options, totals, processor_seconds());
  return static_cast<int>(totals.violations == 0 ? ExitCode::Fine : ExitCode::Failed);
}

}  // namespace
}  // namespace phalanx::sim

int main(int count, char** words) {
  const auto options = phalanx::sim::parse_options(count, words);
  if (!options) {
    std::fputs((options.error().text() + "\n" + phalanx::sim::usage()).c_str(), stderr);
    return static_cast<int>(phalanx::ExitCode::Usage);
  }
  if (options->help) {
    std::fputs(phalanx::sim::usage().c_str(), stdout);
    return 0;
  }
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE})
    std::signal(signal_number, phalanx::sim::on_crash);
  return phalanx::sim::run(*options);
}
