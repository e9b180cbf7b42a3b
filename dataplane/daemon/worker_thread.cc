#include "dataplane/daemon/worker_thread.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
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

Expected<cpu_set_t, Error> allowed_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return allowed;
  return fail(system_error("cannot see the cores of this process", "sched_getaffinity", errno));
}

/// A worker that waits for another one's turn holds its lanes back.
Expected<void, Error> check_count(const config::WorkerSection& worker, const cpu_set_t& allowed) {
  const auto cores = static_cast<std::uint32_t>(CPU_COUNT(&allowed));
  if (worker.count == 1 || worker.count <= cores) return {};
  return fail(
      Error{.code = ExitCode::Usage,
            .attempted = "cannot run worker.count = " + std::to_string(worker.count) + " workers",
            .observed = "this process may run on the cores " + cores_of(allowed) + " only",
            .remedy = "set worker.count = " + std::to_string(cores) +
                      " or less on all nodes, or give the process more cores: they may be "
                      "kept back by taskset, a cpuset or AllowedCPUs="});
}

Expected<void, Error> check_core(const config::WorkerSection& worker, std::uint32_t cpu,
                                 const cpu_set_t& allowed) {
  const std::string attempted =
      (worker.cpus.empty() ? "cannot use worker.cpu = " : "cannot use core of worker.cpus: ") +
      std::to_string(cpu);
  if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed)) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = attempted,
                      .observed = "this process may run on the cores " + cores_of(allowed),
                      .remedy = std::string("name one of these; ") +
                                (worker.cpus.empty() ? "-1" : "[]") +
                                " leaves it to the scheduler. Others may be kept back by taskset, "
                                "a cpuset or AllowedCPUs="});
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
  return name == kWorkerThreadName || name.starts_with(std::string(kWorkerThreadName) + "-");
}

}  // namespace

Expected<void, Error> check_worker_thread(const config::WorkerSection& worker) {
  const auto allowed = allowed_cores();
  if (!allowed) return fail(allowed.error());
  if (auto count = check_count(worker, *allowed); !count) return count;
  for (std::size_t i = 0; i < worker.count; ++i) {
    const auto cpu = worker.cpu_of(i);
    if (!cpu) continue;
    if (auto core = check_core(worker, *cpu, *allowed); !core) return core;
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

bool become_worker_thread(const config::WorkerSection& worker, std::size_t index) noexcept {
  std::array<char, 16> name{};
  const int length =
      index == 0 ? std::snprintf(name.data(), name.size(), "%s", kWorkerThreadName)
                 : std::snprintf(name.data(), name.size(), "%s-%zu", kWorkerThreadName, index);
  bool as_told = length > 0 && pthread_setname_np(pthread_self(), name.data()) == 0;
  if (const auto cpu = worker.cpu_of(index)) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(*cpu, &set);
    as_told = sched_setaffinity(0, sizeof set, &set) == 0 && as_told;
  }
  if (worker.realtime) as_told = sched_setscheduler(0, SCHED_RR, &kRealtime) == 0 && as_told;
  return as_told;
}

}  // namespace phalanx::dataplane
