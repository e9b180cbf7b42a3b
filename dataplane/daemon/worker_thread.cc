#include "dataplane/daemon/worker_thread.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace phalanx::dataplane {
namespace {

namespace fs = std::filesystem;

/// The lowest: before every ordinary program, behind whatever else the operator made realtime.
constexpr sched_param kRealtime{.sched_priority = 1};

/// "0,1,4".
std::string cores_of(const cpu_set_t& allowed) {
  std::string list;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) list += (list.empty() ? "" : ",") + std::to_string(cpu);
  }
  return list;
}

Expected<void, Error> check_core(const config::WorkerSection& worker, std::uint32_t cpu) {
  const std::string attempted = "cannot use worker.cpu = " + std::to_string(cpu);
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return fail(system_error(attempted, "sched_getaffinity", errno));
  }
  if (!CPU_ISSET(cpu, &allowed)) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = attempted,
                      .observed = "this process may run on the cores " + cores_of(allowed),
                      .remedy = "name one of these; -1 leaves it to the scheduler. Others may be "
                                "kept back by taskset, a cpuset or AllowedCPUs="});
  }
  const bool gives_way = worker.idle != config::IdleStrategy::Busy && !worker.realtime;
  const std::optional<int> other = gives_way ? std::nullopt : worker_pinned_to(cpu);
  if (!other) return {};
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = attempted,
                    .observed = "the worker of process " + std::to_string(*other) +
                                " is pinned to it, and ours would not give way",
                    .remedy = "give each its own core, or set worker.idle = \"adaptive\" and "
                              "worker.scheduling = \"normal\""});
}

Expected<void, Error> check_realtime() {
  const int policy = sched_getscheduler(0);
  sched_param before{};
  if (policy < 0 || sched_getparam(0, &before) != 0) {
    return fail(system_error("cannot see how this process is scheduled", "sched_getparam", errno));
  }
  if (sched_setscheduler(0, SCHED_RR, &kRealtime) == 0) {
    sched_setscheduler(0, policy, &before);
    return {};
  }
  return fail(Error{.code = ExitCode::Permission,
                    .attempted = "cannot use worker.scheduling = \"realtime\"",
                    .observed = std::string("sched_setscheduler: ") + std::strerror(errno),
                    .remedy = "run as root, or give the daemon LimitRTPRIO=1 or CAP_SYS_NICE; or "
                              "set worker.scheduling = \"normal\""});
}

/// "Cpus_allowed_list:	2" of a thread, or "".
std::string cores_of_thread(const fs::path& thread) {
  constexpr std::string_view kKey = "Cpus_allowed_list:\t";
  std::ifstream status(thread / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kKey)) return line.substr(kKey.size());
  }
  return {};
}

bool is_worker(const fs::path& thread) {
  std::string name;
  std::ifstream(thread / "comm") >> name;
  return name == kWorkerThreadName;
}

}  // namespace

Expected<void, Error> check_worker_thread(const config::WorkerSection& worker) {
  if (worker.cpu) {
    if (auto core = check_core(worker, *worker.cpu); !core) return core;
  }
  return worker.realtime ? check_realtime() : Expected<void, Error>();
}

std::optional<int> worker_pinned_to(std::uint32_t cpu) {
  std::error_code gone;  // Processes end while they are looked at.
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", gone)) {
    const std::string name = process.path().filename().string();
    int pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || end != name.data() + name.size()) continue;
    fs::directory_iterator thread(process.path() / "task", gone);
    for (; !gone && thread != fs::directory_iterator(); thread.increment(gone)) {
      if (is_worker(thread->path()) && cores_of_thread(thread->path()) == std::to_string(cpu)) {
        return pid;
      }
    }
  }
  return std::nullopt;
}

bool become_worker_thread(const config::WorkerSection& worker) noexcept {
  bool as_told = pthread_setname_np(pthread_self(), kWorkerThreadName) == 0;
  if (worker.cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(*worker.cpu, &set);
    as_told = sched_setaffinity(0, sizeof set, &set) == 0 && as_told;
  }
  if (worker.realtime) as_told = sched_setscheduler(0, SCHED_RR, &kRealtime) == 0 && as_told;
  return as_told;
}

}  // namespace phalanx::dataplane
