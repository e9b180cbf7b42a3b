#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "ipc/base/time_ns.h"
#include "tests/sim/checkers/violation.h"
#include "tests/sim/cluster.h"
#include "tests/sim/options.h"
#include "tests/sim/replay_file.h"
#include "tests/sim/script.h"
#include "tests/sim/shrink.h"

namespace phalanx::sim {
namespace {

/// A history that takes longer hangs in a turn: its events are bounded.
constexpr time_t kHistorySeconds = 240;
constexpr double kShrinkSeconds = 60;

/// Read by the handlers of SIGABRT and the like: an assertion that fails is a finding too.
std::array<char, 512> crash_text{};
/// The command that shrinks the history; no words: nothing is shrunk.
std::vector<std::string> shrink_words;
std::vector<char*> shrink_argv;

void on_crash(int signal_number) {
  const char* what = signal_number == SIGVTALRM ? "HUNG: " : "ASSERTION FAILED: ";
  for (const char* text : {what, static_cast<const char*>(crash_text.data())}) {
    const auto ignored = write(STDERR_FILENO, text, std::strlen(text));
    (void)ignored;
  }
  // This process is no longer to be trusted; a fresh one goes on.
  if (!shrink_argv.empty()) execv("/proc/self/exe", shrink_argv.data());
  _exit(static_cast<int>(ExitCode::Failed));
}

void watch_crashes() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // After execv() in a handler one would be blocked.
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM})
    std::signal(signal_number, on_crash);
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
  std::uint64_t gathered = 0;
  std::uint64_t changed = 0;
  std::uint64_t delivered = 0;
  std::uint64_t submitted = 0;
  std::uint64_t views = 0;
  std::uint64_t turns = 0;
  std::uint64_t hash = 0;
  TimeNs healed_after_max = 0;
  std::uint64_t healed_after_max_seed = 0;
  Observer::Coverage coverage;
  Replicated::Coverage replicated;
  std::uint64_t violations = 0;
  std::string first_violated;  ///< Guarantee, recipe, seed and replay command, as JSON members.
  std::map<std::string, std::uint64_t> by_guarantee;
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

std::string replay_command(const Options& options, const Scenario& scenario) {
  std::string out =
      "phalanx-sim --replay " + std::to_string(scenario.seed) + " --recipe " + scenario.recipe;
  if (options.sizes.nodes != 0) out += " --nodes " + std::to_string(options.sizes.nodes);
  if (options.sizes.lanes != 0) out += " --lanes " + std::to_string(options.sizes.lanes);
  if (options.sizes.faulty_for != 0) {
    out += " --faulty-ms " + std::to_string(options.sizes.faulty_for / kMillisecond);
  }
  if (options.replicas) out += " --replicas";
  if (options.tapes) out += " --tapes";
  if (options.gathers) out += " --gathers";
  if (options.keep) out += " --keep " + join_parts(*options.keep);
  return out;
}

void prepare_for_crash(const Options& options, const Scenario& scenario,
                       const std::string& replay) {
  std::snprintf(crash_text.data(), crash_text.size(), "recipe %s seed %llu\n  replay: %s\n",
                scenario.recipe.c_str(), static_cast<unsigned long long>(scenario.seed),
                replay.c_str());
  shrink_argv.clear();
  if (options.shrink && !options.keep_going && !options.replay) {
    shrink_words = words_of(replay);
    *std::find(shrink_words.begin(), shrink_words.end(), "--replay") = "--shrink";
    for (std::string& word : shrink_words) shrink_argv.push_back(word.data());
    shrink_argv.push_back(nullptr);
  }
  const itimerval limit{.it_interval = {}, .it_value = {.tv_sec = kHistorySeconds, .tv_usec = 0}};
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}

/// The least of the script that ends in the same way, and how to see it.
void print_shrunk(const Options& options, const Scenario& scenario) {
  setitimer(ITIMER_VIRTUAL, std::array<itimerval, 1>{}.data(), nullptr);
  const std::size_t all = script_parts(scenario).size();
  const Shrunk shrunk = shrink(scenario, kShrinkSeconds);
  Options kept = options;
  kept.keep = shrunk.parts;
  std::fprintf(stderr, "  script: %zu of %zu parts are enough for %s\n%s  replay: %s\n",
               shrunk.parts.size(), all, shrunk.outcome.c_str(),
               describe_script(scenario, shrunk.parts).c_str(),
               replay_command(kept, scenario).c_str());
}

void add(Totals& totals, const HistoryCounts& history, std::uint64_t seed) {
  ++totals.histories;
  totals.frame_events += history.frame_events;
  totals.gathered += history.gathered;
  totals.changed += history.changed;
  totals.delivered += history.delivered;
  totals.submitted += history.submitted;
  totals.views += history.views;
  totals.turns += history.turns;
  totals.coverage.handovers += history.coverage.handovers;
  totals.coverage.pads += history.coverage.pads;
  totals.coverage.joint_passages += history.coverage.joint_passages;
  totals.coverage.late_records += history.coverage.late_records;
  totals.coverage.group_states += history.coverage.group_states;
  totals.replicated.acknowledged += history.replicated.acknowledged;
  totals.replicated.quorate += history.replicated.quorate;
  totals.replicated.merged += history.replicated.merged;
  totals.replicated.faults += history.replicated.faults;
  totals.replicated.lost_sides += history.replicated.lost_sides;
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
  prepare_for_crash(options, scenario, replay);
  try {
    Cluster cluster(scenario, pool, trace);
    add(totals, cluster.run(), scenario.seed);
    return true;
  } catch (const Violation& violation) {
    ++totals.histories;
    ++totals.violations;
    ++totals.by_guarantee[violation.guarantee];
    if (totals.first_violated.empty()) {
      totals.first_violated = ",\"violated\":\"" + violation.guarantee + "\",\"in\":\"" +
                              scenario.recipe + "\",\"seed\":" + std::to_string(scenario.seed) +
                              ",\"replay\":\"" + replay + "\"";
    }
    std::fflush(stdout);
    std::fprintf(stderr, "VIOLATED %s: %s\n  recipe %s seed %llu\n  replay: %s\n",
                 violation.guarantee.c_str(), violation.what.c_str(), scenario.recipe.c_str(),
                 static_cast<unsigned long long>(scenario.seed), replay.c_str());
    if (!shrink_argv.empty()) print_shrunk(options, scenario);
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
        "\"healed_after_max_ms\":%.1f,\"cpu_seconds\":%.2f,\"hash\":\"%016llx\",\"ok\":%s%s}\n",
        options.recipe.c_str(), u(totals.histories), u(totals.violations), u(totals.frame_events),
        rate, u(totals.submitted), u(totals.delivered), u(totals.views),
        static_cast<double>(totals.healed_after_max) / 1e6, seconds, u(totals.hash),
        totals.violations == 0 ? "true" : "false", totals.first_violated.c_str());
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
  if (options.gathers) {
    std::printf("  gathered: %llu frames, %llu of them with other bytes than they were sent with\n",
                u(totals.gathered), u(totals.changed));
  }
  if (options.replicas) {
    std::printf(
        "  replicas: %llu operations acknowledged, %llu of them with quorum, %llu merged, %llu "
        "callbacks failed, %llu sides with too short a history\n",
        u(totals.replicated.acknowledged), u(totals.replicated.quorate),
        u(totals.replicated.merged), u(totals.replicated.faults), u(totals.replicated.lost_sides));
  }
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
    auto scenario = make_scenario(recipe, seed, options.sizes);
    scenario->replicas = options.replicas;
    scenario->tapes = options.tapes;
    scenario->gathers = options.gathers;
    scenario->real_seals = scenario->real_seals || options.gathers;
    if (options.keep) scenario = with_parts(*scenario, *options.keep);
    if (!scenario) {
      std::fputs("--keep names a part that the script does not have\n", stderr);
      return static_cast<int>(ExitCode::Usage);
    }
    if (options.shrink_only) {
      print_shrunk(options, *scenario);
      return static_cast<int>(ExitCode::Failed);
    }
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
  if (!options->replay_file.empty()) {
    return phalanx::sim::replay_file(options->replay_file, options->json);
  }
  phalanx::sim::watch_crashes();
  return phalanx::sim::run(*options);
}
