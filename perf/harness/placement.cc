#include "perf/harness/placement.h"

#include <sched.h>

#include <charconv>
#include <filesystem>
#include <string>

namespace phalanx::perf {
namespace {

bool bind_task(pid_t task, std::size_t n) noexcept {
  // As it was before anything was bound, since threads inherit that.
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    (void)sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  if (CPU_COUNT(&allowed) == 0) return false;
  n %= static_cast<std::size_t>(CPU_COUNT(&allowed));
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || n-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(task, sizeof one, &one) == 0;
  }
  return false;
}

}  // namespace

bool run_on(std::size_t n) noexcept { return bind_task(0, n); }

bool bind_process(pid_t pid, std::size_t n) {
  std::error_code gone;
  bool all = true;
  for (std::filesystem::directory_iterator at("/proc/" + std::to_string(pid) + "/task", gone), end;
       !gone && at != end; at.increment(gone)) {
    const std::string name = at->path().filename();
    pid_t task = 0;
    std::from_chars(name.data(), name.data() + name.size(), task);
    all = bind_task(task, n) && all;
  }
  return all && !gone;
}

}  // namespace phalanx::perf
