#include "perf/harness/host_cost.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <thread>

#include "ipc/base/time_ns.h"
#include "ipc/base/yielder.h"
#include "perf/harness/placement.h"

namespace phalanx::perf {
namespace {

constexpr std::uint64_t kRounds = 5'000;
constexpr std::size_t kGoes = 5;

struct alignas(128) Line {
  std::atomic<std::uint64_t> value{0};
};

/// Where the other process runs, this one being on core 0, and after how many looks both yield.
struct Other {
  std::size_t core;
  std::uint32_t looks_a_yield;
};

/// False: the other side was not there for a second.
bool await(const Line& line, std::uint64_t value, const Other& other) {
  TimeNs since = 0;
  for (std::uint32_t look = 1; line.value.load(std::memory_order_acquire) < value; ++look) {
    rest_processor();
    if (look % other.looks_a_yield != 0) continue;
    sched_yield();
    if (look % 4096 != 0) continue;
    const TimeNs now = monotonic_now();
    if (since == 0) since = now;
    if (now - since > kSecond) return false;
  }
  return true;
}

struct Lines {
  Line ours, theirs;
};

/// The other side is a process, as a client is to its server: another address space to switch to.
std::optional<double> one_go(const Other& where) {
  void* memory =
      mmap(nullptr, sizeof(Lines), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::nullopt;
  auto* lines = new (memory) Lines;
  const pid_t other = fork();
  if (other == 0) {
    const bool there = run_on(where.core);
    for (std::uint64_t i = 1; i <= kRounds && there && await(lines->ours, i, where); ++i)
      lines->theirs.value.store(i, std::memory_order_release);
    _exit(0);
  }
  bool answered = other > 0;
  TimeNs start = 0;
  for (std::uint64_t i = 1; i <= kRounds && answered; ++i) {
    lines->ours.value.store(i, std::memory_order_release);
    answered = await(lines->theirs, i, where);
    if (i == 1) start = monotonic_now();  // The process is there.
  }
  const TimeNs end = monotonic_now();
  if (other > 0) {
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
  }
  munmap(memory, sizeof(Lines));
  if (!answered) return std::nullopt;
  return static_cast<double>(end - start) / static_cast<double>(kRounds - 1);
}

std::optional<double> median_of_goes(const Other& where) {
  std::array<double, kGoes> goes{};
  std::size_t count = 0;
  for (std::size_t go = 0; go < kGoes; ++go) {
    std::optional<double> took;
    std::thread here([&] {
      if (run_on(0)) took = one_go(where);
    });
    here.join();
    if (!took) break;  // Its core cannot be had.
    goes[count++] = *took;
  }
  if (count == 0) return std::nullopt;
  std::sort(goes.begin(), goes.begin() + static_cast<std::ptrdiff_t>(count));
  return goes[count / 2];
}

}  // namespace

std::optional<double> line_round_trip_ns() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
    return std::nullopt;
  return median_of_goes({.core = 1, .looks_a_yield = 4096});
}

std::optional<double> switch_ns() {
  const std::optional<double> both = median_of_goes({.core = 0, .looks_a_yield = 1});
  return both ? std::optional(*both / 2) : std::nullopt;
}

double yield_ns() {
  constexpr int kYields = 2'000;
  const TimeNs start = monotonic_now();
  for (int i = 0; i < kYields; ++i) sched_yield();
  return static_cast<double>(monotonic_now() - start) / kYields;
}

}  // namespace phalanx::perf
