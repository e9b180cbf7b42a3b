#pragma once

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "ipc/base/scheduling.h"
#include "ipc/base/time_ns.h"

namespace phalanx::call {

/// kNever for a timeout < 0.
[[nodiscard]] inline TimeNs deadline_of(int timeout_ms) noexcept {
  if (timeout_ms < 0) return kNever;
  return monotonic_now() + static_cast<TimeNs>(timeout_ms) * kMillisecond;
}

inline void pause_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  asm volatile("" ::: "memory");
#endif
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
      pause_processor();
      if (turns_ % 256 == 0) now = monotonic_now();
      return true;
    }
    if (spin_ns_ == 0) return false;
    if (turns_ % kLooksPerYield != 0) {
      pause_processor();
      return true;
    }
    now = monotonic_now();
    if (start_ == 0) start_ = now;
    if (now - start_ >= spin_ns_) return false;
    sched_yield();
    return true;
  }
  void start_again() noexcept { start_ = turns_ = 0; }
  /// Every so many turns: when a look at the socket is due, which tells of a peer that died.
  [[nodiscard]] bool long_enough() const noexcept { return turns_ % 65536 == 65535; }

 private:
  static constexpr std::uint64_t kLooksPerYield = 16;
  bool forever_;
  TimeNs spin_ns_;
  TimeNs start_ = 0;
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
