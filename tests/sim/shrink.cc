#include "tests/sim/shrink.h"

#include <fcntl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "tests/sim/checkers/violation.h"
#include "tests/sim/cluster.h"
#include "tests/sim/memory_pool.h"
#include "tests/sim/script.h"

namespace phalanx::sim {
namespace {

constexpr int kAssertion = 100;  ///< Exit code of a trial; smaller ones number the guarantee.
constexpr time_t kTrialSeconds = 60;

[[noreturn]] void run_trial(const Scenario& scenario) {
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM})
    std::signal(signal_number, [](int) { _exit(kAssertion); });
  const itimerval limit{.it_interval = {}, .it_value = {.tv_sec = kTrialSeconds, .tv_usec = 0}};
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
  const int nowhere = open("/dev/null", O_WRONLY);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  try {
    MemoryPool pool;
    Trace trace;
    Cluster(scenario, pool, trace).run();
  } catch (const Violation& violation) {
    _exit(std::stoi(violation.guarantee.substr(1)));
  }
  _exit(0);
}

}  // namespace

std::string outcome_of(const Scenario& scenario) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) run_trial(scenario);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return "assertion";
  const int code = WEXITSTATUS(status);
  if (code == 0) return "none";
  return code == kAssertion ? "assertion" : "G" + std::to_string(code);
}

Shrunk shrink(const Scenario& scenario, double seconds) {
  const TimeNs end = monotonic_now() + static_cast<TimeNs>(seconds * 1e9);
  Shrunk out{outcome_of(scenario), script_parts(scenario)};
  std::size_t chunks = 2;
  while (out.outcome != "none" && !out.parts.empty() && monotonic_now() < end) {
    const std::size_t count = out.parts.size();
    chunks = std::min(chunks, count);
    bool smaller = false;
    for (std::size_t i = 0; i < chunks && !smaller && monotonic_now() < end; ++i) {
      std::vector<std::string> rest;
      for (std::size_t k = 0; k < count; ++k) {
        if (k * chunks / count != i) rest.push_back(out.parts[k]);
      }
      if (outcome_of(*with_parts(scenario, rest)) != out.outcome) continue;
      out.parts = std::move(rest);
      smaller = true;
    }
    if (smaller) {
      chunks = std::max<std::size_t>(chunks - 1, 2);
    } else if (chunks == count) {
      break;
    } else {
      chunks *= 2;
    }
  }
  return out;
}

}  // namespace phalanx::sim
