#include "dataplane/worker/worker_loop.h"

#include <sched.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "ipc/base/patience.h"
#include "ipc/base/time_ns.h"
#include "ipc/base/yielder.h"

namespace phalanx::worker {
namespace {

// Less is likely to be all there is: whoever waits for it goes first, where cores are shared.
constexpr std::size_t kWorthAnotherTurn = 16;
constexpr std::uint32_t kTurnsAlone = 16;      // Between yields on a core of its own.
constexpr TimeNs kPollOn = 50 * kMicrosecond;  // After the last message, before sleeping, at least.
// Where frames cannot wake: short at first, for the answer that is on its way, then twice as long
// each time, up to what a frame may be late on an idle node.
constexpr std::uint32_t kBlindRounds = 16;  // Empty ones before the first sleep, however long.
constexpr TimeNs kBlindSleepMin = 50 * kMicrosecond;
constexpr TimeNs kBlindSleepMax = 1 * kMillisecond;

Expected<void, Error> watch(int epoll, int fd, std::uint32_t events) noexcept {
  epoll_event event{.events = events, .data = {}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return fail(system_error("cannot let the worker wait for its doorbells", "epoll_ctl", errno));
}

}  // namespace

Expected<WorkerLoop, Error> WorkerLoop::create(Idle idle, const Doorbells& doorbells) {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail(system_error("cannot start the worker", "epoll_create1", errno));
  if (doorbells.transport >= 0) {
    if (auto added = watch(epoll.get(), doorbells.transport, EPOLLIN); !added)
      return fail(added.error());
  }
  // Edges need no read: a doorbell is only ever written.
  for (const int doorbell : {doorbells.command, doorbells.mailbox}) {
    if (auto added = watch(epoll.get(), doorbell, EPOLLIN | EPOLLET); !added)
      return fail(added.error());
  }
  return WorkerLoop(idle, doorbells.transport >= 0, std::move(epoll));
}

Expected<void, Error> WorkerLoop::watch_client(int doorbell) noexcept {
  return watch(epoll_.get(), doorbell, EPOLLIN | EPOLLET);
}

void WorkerLoop::unwatch_client(int doorbell) noexcept {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, doorbell, nullptr);
}

void WorkerLoop::run(Worker& worker, Mailbox& mailbox) noexcept {
  TimeNs busy_at = 0;
  TimeNs slept = 0;  // Before this turn; 0: not.
  Patience patience(kPollOn);
  std::uint32_t empty_rounds = 0;
  Yielder yielder(kTurnsAlone);
  blind_sleep_ = kBlindSleepMin;
  while (!mailbox.stopping()) {
    const TimeNs now = monotonic_now();
    const std::size_t work = worker.poll_once(now);
    const bool busy = worker.take_busy();
    if (slept > 0) patience.slept(std::exchange(slept, 0), busy);
    if (busy) {
      busy_at = now;
      empty_rounds = 0;
      blind_sleep_ = kBlindSleepMin;
    }
    if (work >= kWorthAnotherTurn || idle_ == Idle::Busy) continue;
    // Time alone may have passed while others ran. Where frames wake a sleeper that does no harm.
    const bool poll_on =
        now - busy_at < patience.time() || (!pollable_ && empty_rounds++ < kBlindRounds);
    // Heartbeats and what control planes say are no reason to look once more: who goes to sleep
    // does.
    if (busy || (idle_ == Idle::Adaptive && poll_on)) {
      yielder.pass();
    } else {
      sleep(worker, now);
      slept = monotonic_now() - now;
    }
  }
}

void WorkerLoop::sleep(Worker& worker, TimeNs now) noexcept {
  TimeNs until = 0;
  if (!worker.arm(now, until)) {
    sched_yield();
    return;
  }
  TimeNs length = until - now;
  if (!pollable_) {
    length = std::min(length, blind_sleep_);
    blind_sleep_ = std::min(2 * blind_sleep_, kBlindSleepMax);
  }
  const timespec timeout{.tv_sec = static_cast<time_t>(length / kSecond),
                         .tv_nsec = static_cast<long>(length % kSecond)};
  std::array<epoll_event, 16> events;
  epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  worker.disarm();
}

}  // namespace phalanx::worker
