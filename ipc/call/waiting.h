#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <climits>

#include "ipc/base/scheduling.h"
#include "ipc/base/time_ns.h"
#include "ipc/base/yielder.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {

/// kNever for a timeout < 0.
[[nodiscard]] inline TimeNs deadline_of(int timeout_ms) noexcept {
  if (timeout_ms < 0) return kNever;
  return monotonic_now() + static_cast<TimeNs>(timeout_ms) * kMillisecond;
}

/// What it cost this thread to make ready for sleep: membarrier() interrupts the other side, for 2
/// us or, in some virtual machines, for 100.
struct SleepCost {
  static constexpr TimeNs kMost = 200 * kMicrosecond;  ///< What took longer was not that.
  TimeNs took = 0;
  TimeNs paid_at = 0;
  [[nodiscard]] static SleepCost& of_thread() noexcept {
    static constinit thread_local SleepCost cost;
    return cost;
  }
};

/// Between the flag of a sleeper and its last look.
inline void fence_before_sleep(bool asymmetric) noexcept {
  if (!asymmetric) return shm::barrier_everywhere(false);
  const TimeNs before = monotonic_now();
  shm::barrier_everywhere(true);
  const TimeNs now = monotonic_now();
  const TimeNs took = now - before;
  SleepCost::of_thread() = {.took = took < SleepCost::kMost ? took : SleepCost::kMost,
                            .paid_at = now};
}

/// The time between finding nothing and going to sleep. turn() is called once a look; it costs a
/// few nanoseconds, and looks at the clock and lets others run only now and then.
class Spinner {
 public:
  /// `forever`: never sleep, never yield.
  Spinner(bool forever, TimeNs spin_ns) noexcept : forever_(forever), spin_ns_(spin_ns) {}

  /// False: it is time to sleep. `now` is brought up to date every few turns.
  [[nodiscard]] bool turn(TimeNs& now) noexcept {
    ++turns_;
    if (forever_) {
      rest_processor();
      if (turns_ % 256 == 0) now = monotonic_now();
      return true;
    }
    if (spin_ns_ == 0) return false;
    if (!Yielder::of_thread().pass()) return true;
    now = monotonic_now();
    if (start_ == 0) start_ = now;
    return now - start_ < spin_ns_ || was_dear(now);
  }
  void start_again() noexcept { start_ = turns_ = 0; }
  /// Once a millisecond: a look at the socket is due, which tells of a peer that died.
  [[nodiscard]] bool is_look_due(TimeNs now) noexcept {
    if (now - looked_ < kMillisecond) return false;
    const bool due = looked_ != 0;
    looked_ = now;
    return due;
  }

 private:
  /// Two sides that hold each other up by going to sleep would find each other too late again, and
  /// go on so: after the last time, wait for twice what it took before the next.
  [[nodiscard]] static bool was_dear(TimeNs now) noexcept {
    const SleepCost& last = SleepCost::of_thread();
    return now - last.paid_at < 2 * last.took;
  }

  bool forever_;
  TimeNs spin_ns_;
  TimeNs start_ = 0;
  TimeNs looked_ = 0;
  std::uint64_t turns_ = 0;
};

/// Once a thread: the kernel counts a yield as the rest of a turn, so one who yields takes short
/// ones.
inline void take_short_turns() noexcept {
  static thread_local bool asked = false;
  if (asked) return;
  asked = true;
  ask_for_short_turns();
}

/// Sleeps until `fd` is readable or it is `deadline`.
inline void sleep_on(int fd, TimeNs deadline) noexcept {
  timespec left{};
  if (deadline != kNever) {
    const TimeNs now = monotonic_now();
    const TimeNs wait = deadline > now ? deadline - now : 0;
    left = {.tv_sec = static_cast<time_t>(wait / kSecond),
            .tv_nsec = static_cast<long>(wait % kSecond)};
  }
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  (void)ppoll(&readable, 1, deadline == kNever ? nullptr : &left, nullptr);
}

/// Takes the bytes that woke us. False: the other side hung up.
[[nodiscard]] inline bool drain(int socket) noexcept {
  char bytes[256];
  const ssize_t got = recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/// How long a read of a socket for wakes may sleep.
inline constexpr TimeNs kReadSleeps = 100 * kMillisecond;

/// From now on sleep_and_drain() may read it; everybody else says MSG_DONTWAIT. False: errno.
[[nodiscard]] inline bool let_reads_sleep(int socket) noexcept {
  constexpr timeval kLimit{.tv_sec = 0, .tv_usec = kReadSleeps / kMicrosecond};
  const int flags = fcntl(socket, F_GETFL);
  return flags >= 0 && fcntl(socket, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
         setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kLimit, sizeof kLimit) == 0;
}

/// Sleeps until bytes came, which it takes, or it is `deadline`; may return early. False: the other
/// side hung up. One system call where sleep_on() and drain() are two: 2 us less a call where both
/// sides sleep (`perf/versus-ipc`, rr block). Who has the same end of the socket can undo its
/// limit: `may_read` only where nobody does who is not trusted.
[[nodiscard]] inline bool sleep_and_drain(int socket, TimeNs deadline,
                                          bool may_read = true) noexcept {
  // The kernel rounds the limit up, by some milliseconds.
  if (may_read && (deadline == kNever || monotonic_now() + 2 * kReadSleeps < deadline)) {
    char bytes[256];
    const ssize_t got = recv(socket, bytes, sizeof bytes, 0);
    if (got >= 0 || errno != EAGAIN) return got > 0 || (got < 0 && errno == EINTR);
    // A long sleep, or somebody made the socket one that never waits.
  }
  sleep_on(socket, deadline);
  return drain(socket);
}

/// Whether the other side is still there, without taking anything.
[[nodiscard]] inline bool is_there(int socket) noexcept {
  char byte;
  const ssize_t got = recv(socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/// The byte that wakes a sleeper. A full socket is fine: then it is readable already.
inline void send_wake(int socket) noexcept {
  const char byte = 1;
  (void)!send(socket, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace phalanx::call
