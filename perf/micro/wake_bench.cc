// What it costs a thread to wake one that sleeps on a socket: by itself, or through a thread for
// wakes that sleeps on the same core, sleeps on another, or spins on a third. For a worker, which
// must not stop, the first column counts; for who is woken the second.

#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "ipc/base/time_ns.h"
#include "ipc/base/yielder.h"
#include "perf/harness/placement.h"

namespace {

using phalanx::monotonic_now;
using phalanx::TimeNs;

constexpr int kWakes = 3'000;
constexpr TimeNs kApart = 200'000;  // So that everybody has gone to sleep.

enum class Waker : std::uint8_t { None, Sleeps, Spins };

struct Wake {
  int sockets[2] = {-1, -1};
  std::atomic<std::uint32_t> wanted{0};
  std::atomic<std::uint32_t> served{0};
  std::atomic<TimeNs> woken_at{0};
  std::atomic<bool> over{false};

  void send_byte() const {
    const char byte = 1;
    (void)!send(sockets[0], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
};

void futex(std::atomic<std::uint32_t>& word, int what, std::uint32_t value) {
  syscall(SYS_futex, &word, what, value, nullptr, nullptr, 0);
}

void run_here(std::size_t core) {
  if (phalanx::perf::run_on(core)) return;
  std::fprintf(stderr, "error: cannot run on processor %zu\n", core);
  std::exit(1);
}

void sleep_on_socket(Wake& wake, std::size_t core) {
  run_here(core);
  char byte = 0;
  while (recv(wake.sockets[1], &byte, 1, 0) > 0) wake.woken_at.store(monotonic_now());
}

void serve_wakes(Wake& wake, std::size_t core, Waker how) {
  run_here(core);
  while (!wake.over.load()) {
    const std::uint32_t wanted = wake.wanted.load(std::memory_order_acquire);
    if (wanted != wake.served.load(std::memory_order_relaxed)) {
      wake.served.store(wanted, std::memory_order_relaxed);
      wake.send_byte();
    } else if (how == Waker::Sleeps) {
      futex(wake.wanted, FUTEX_WAIT_PRIVATE, wanted);
    } else {
      phalanx::rest_processor();
    }
  }
}

TimeNs median(std::vector<TimeNs>& all) {
  std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2),
                   all.end());
  return all[all.size() / 2];
}

void measure(const char* name, Waker how, std::size_t sleeper_core, std::size_t waker_core) {
  Wake wake;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, wake.sockets) != 0) return std::perror("socketpair");
  std::thread sleeper(sleep_on_socket, std::ref(wake), sleeper_core);
  std::thread waker;
  if (how != Waker::None) waker = std::thread(serve_wakes, std::ref(wake), waker_core, how);
  run_here(0);
  std::vector<TimeNs> cost, late;
  for (int i = 0; i < kWakes; ++i) {
    const TimeNs apart = monotonic_now() + kApart;
    while (monotonic_now() < apart) phalanx::rest_processor();
    wake.woken_at.store(0);
    const TimeNs start = monotonic_now();
    if (how == Waker::None) {
      wake.send_byte();
    } else {
      wake.wanted.fetch_add(1, std::memory_order_release);
      if (how == Waker::Sleeps) futex(wake.wanted, FUTEX_WAKE_PRIVATE, 1);
    }
    cost.push_back(monotonic_now() - start);
    while (wake.woken_at.load() == 0) phalanx::rest_processor();
    late.push_back(wake.woken_at.load() - start);
  }
  wake.over.store(true);
  wake.wanted.fetch_add(1);
  futex(wake.wanted, FUTEX_WAKE_PRIVATE, 1);
  if (waker.joinable()) waker.join();
  shutdown(wake.sockets[0], SHUT_RDWR);
  sleeper.join();
  close(wake.sockets[0]);
  close(wake.sockets[1]);
  std::printf("%-52s costs the waker %6.1f us, is there after %6.1f us\n", name,
              static_cast<double>(median(cost)) / 1e3, static_cast<double>(median(late)) / 1e3);
  std::fflush(stdout);
}

}  // namespace

int main() {
  if (std::thread::hardware_concurrency() < 2) {
    std::fprintf(stderr, "error: one processor\n  allowed: two or more\n");
    return 2;
  }
  measure("a sleeper of another core, by itself", Waker::None, 1, 0);
  measure("likewise, through a thread that sleeps on its core", Waker::Sleeps, 1, 1);
  measure("likewise, through a thread that sleeps on ours", Waker::Sleeps, 1, 0);
  if (std::thread::hardware_concurrency() > 2)
    measure("likewise, through a thread that spins on a third", Waker::Spins, 1, 2);
  return 0;
}
