#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <vector>

#include "ipc/base/time_ns.h"
#include "perf/ipc/shape.h"

namespace phalanx::perf {
namespace {

constexpr TimeNs kStartMost = 10 * kSecond;

void pin(IpcPlacement placement, bool server) {
  if (placement == IpcPlacement::Free) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(server || placement == IpcPlacement::SameCore ? 0 : 1, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

void request_reply(IpcClient& client, IpcShared& shared, IpcShared::Client& mine) {
  while (shared.stop.load(std::memory_order_relaxed) == 0) {
    const TimeNs start = monotonic_now();
    if (!client.call()) {
      if (shared.stop.load() == 0) shared.failed.store(1);
      return;
    }
    const TimeNs end = monotonic_now();
    mine.count.store(mine.count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (shared.measuring.load(std::memory_order_relaxed) != 0) mine.latency.add(end - start);
  }
}

void be_client(const IpcLibrary& library, const std::string& name, const IpcShape& shape,
               IpcShared& shared, unsigned number) {
  const auto client = library.make_client();
  bool connected = false;
  for (int i = 0; i < 500 && !connected; ++i) {
    connected = client->connect(name, shape);
    if (!connected) usleep(10'000);
  }
  if (!connected) {
    std::fprintf(stderr, "error: %s: a client cannot connect\n", library.name);
    shared.failed.store(1);
    return;
  }
  shared.ready.fetch_add(1);
  IpcShared::Client& mine = shared.clients[number];
  if (shape.mode == IpcMode::RequestReply) return request_reply(*client, shared, mine);
  while (shared.stop.load(std::memory_order_relaxed) == 0) {
    if (shape.mode == IpcMode::OneWay) {
      (void)client->post();
    } else if (const std::size_t got = client->take(); got > 0) {
      mine.count.store(mine.count.load(std::memory_order_relaxed) + got, std::memory_order_relaxed);
    }
  }
}

/// Processor time of a process so far.
std::uint64_t cpu_ns(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/schedstat";
  unsigned long long ns = 0;
  if (FILE* file = std::fopen(path.c_str(), "r"); file != nullptr) {
    if (std::fscanf(file, "%llu", &ns) != 1) ns = 0;
    std::fclose(file);
  }
  return ns;
}

struct Moment {
  TimeNs at;
  std::uint64_t count, server_ns, client_ns;
};

Moment now_of(const IpcShape& shape, const IpcShared& shared, const std::vector<pid_t>& processes) {
  Moment m{.at = monotonic_now(), .count = 0, .server_ns = cpu_ns(processes[0]), .client_ns = 0};
  if (shape.mode == IpcMode::OneWay) m.count = shared.server_count.load();
  for (unsigned i = 0; i < shape.clients; ++i) {
    m.client_ns += cpu_ns(processes[i + 1]);
    if (shape.mode != IpcMode::OneWay) m.count += shared.clients[i].count.load();
  }
  return m;
}

/// A child that ends with its parent.
template <class Work>
pid_t spawn(const Work& work) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == parent) work();
  _exit(0);
}

bool wait_until_ready(const IpcShape& shape, const IpcShared& shared) {
  const TimeNs end = monotonic_now() + kStartMost;
  while (shared.ready.load() < shape.clients && shared.failed.load() == 0) {
    if (monotonic_now() > end) return false;
    usleep(1000);
  }
  return shared.failed.load() == 0;
}

void fill(const IpcShape& shape, const IpcShared& shared, const Moment& from, const Moment& to,
          IpcResult& out) {
  const double count = static_cast<double>(to.count - from.count);
  out.per_second = count / (static_cast<double>(to.at - from.at) / 1e9);
  if (count > 0) {
    out.server_cpu_us = static_cast<double>(to.server_ns - from.server_ns) / 1e3 / count;
    out.client_cpu_us = static_cast<double>(to.client_ns - from.client_ns) / 1e3 / count;
  }
  Histogram all;
  for (unsigned i = 0; i < shape.clients; ++i) all.merge(shared.clients[i].latency);
  out.p50_ns = all.at(0.5);
  out.p99_ns = all.at(0.99);
  out.max_ns = all.max();
}

}  // namespace

bool measure_ipc(const IpcLibrary& library, const IpcShape& shape, IpcResult& out) {
  void* memory =
      mmap(nullptr, sizeof(IpcShared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* shared = new (memory) IpcShared;
  const std::string name =
      "perf-" + std::to_string(getpid()) + "-" + std::to_string(monotonic_now() / kMillisecond);
  std::vector<pid_t> processes;
  processes.push_back(spawn([&] {
    pin(shape.placement, true);
    const auto server = library.make_server();
    if (server->start(name, shape, *shared)) {
      server->run();
    } else {
      std::fprintf(stderr, "error: %s: the server cannot start\n", library.name);
      shared->failed.store(1);
    }
  }));
  for (unsigned i = 0; i < shape.clients; ++i) {
    processes.push_back(spawn([&] {
      pin(shape.placement, false);
      be_client(library, name, shape, *shared, i);
    }));
  }
  bool good = wait_until_ready(shape, *shared);
  if (good) {
    // To warm up: what is built in place meets new pages for many rounds of its ring.
    usleep(static_cast<useconds_t>(shape.seconds * 2e5) + (shape.in_place ? 1'500'000 : 200'000));
    shared->measuring.store(1);
    const Moment from = now_of(shape, *shared, processes);
    usleep(static_cast<useconds_t>(shape.seconds * 1e6));
    const Moment to = now_of(shape, *shared, processes);
    shared->stop.store(1);
    good = shared->failed.load() == 0;
    usleep(150'000);  // Those that wait look at the flag again.
    for (const pid_t pid : processes) kill(pid, SIGTERM);
    fill(shape, *shared, from, to, out);
  }
  shared->stop.store(1);
  for (const pid_t pid : processes) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  munmap(memory, sizeof(IpcShared));
  return good;
}

}  // namespace phalanx::perf
