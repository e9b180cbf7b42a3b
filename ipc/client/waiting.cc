#include "ipc/client/waiting.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "ipc/base/scheduling.h"
#include "ipc/base/yielder.h"
#include "ipc/client/link.h"

namespace phalanx::client {
namespace {

/// Whether a dispatch would find something, looked at with `order` (seq_cst after arming).
bool has_work(Handle& handle, std::memory_order order) noexcept {
  return handle.hung_up || handle.distrusted || handle.channels.refresh_events(order) ||
         handle.channels.broken() || handle.channels.state() != shm::ChannelState::Open;
}

/// Asks to be woken; false: not needed, there is work.
bool arm(Handle& handle) noexcept {
  handle.channels.wait_for(shm::kWaitsForEvent);
  handle.armed = true;
  if (!has_work(handle, std::memory_order_seq_cst)) return true;
  disarm(handle);
  return false;
}

/// The kernel counts a yield as the rest of a turn (since Linux 6.18 also against the share): next
/// to a worker, whose turns are short, one of the usual 3 ms makes this thread wait 30 times as
/// long.
void take_short_turns() noexcept {
  static thread_local bool asked = false;
  if (asked) return;
  asked = true;
  ask_for_short_turns();
}

bool spin(Handle& handle, TimeNs deadline) noexcept {
  if (handle.spin_ns > 0) take_short_turns();
  Yielder& yielder = Yielder::of_thread();
  const TimeNs start = monotonic_now();
  const TimeNs most = handle.learns ? handle.patience.time() : handle.spin_ns;
  for (TimeNs now = start; now - start < most && now < deadline; now = monotonic_now()) {
    if (has_work(handle, std::memory_order_acquire)) return true;
    yielder.pass();
  }
  return false;
}

void set_kick(Handle& handle, bool wanted) noexcept {
  if (handle.kicked == wanted) return;
  handle.kicked = wanted;
  std::uint64_t count = 1;
  if (wanted) {
    [[maybe_unused]] const ssize_t written = write(handle.kick_fd, &count, sizeof count);
  } else {
    [[maybe_unused]] const ssize_t got = read(handle.kick_fd, &count, sizeof count);
  }
}

/// 0: never. The timer is readable from then on, until set anew.
void set_timer(const Handle& handle, bool wanted) noexcept {
  itimerspec at{};
  if (wanted) {
    const TimeNs when = handle.next_try == 0 ? 1 : handle.next_try;
    at.it_value = {.tv_sec = static_cast<time_t>(when / kSecond),
                   .tv_nsec = static_cast<long>(when % kSecond)};
  }
  timerfd_settime(handle.timer_fd, TFD_TIMER_ABSTIME, &at, nullptr);
}

}  // namespace

void disarm(Handle& handle) noexcept {
  if (!handle.armed) return;
  handle.armed = false;
  if (!handle.channels.wait_no_more(shm::kWaitsForEvent)) handle.byte_owed = true;
}

bool wait_for_work(Handle& handle, TimeNs deadline) noexcept {
  if (handle.attached()) {
    if (spin(handle, deadline) || !arm(handle)) return true;
  }
  const TimeNs now = monotonic_now();
  TimeNs until = deadline;
  if (!handle.attached() && handle.link != Link::Gone && handle.next_try < until)
    until = handle.next_try;
  if (until <= now) {
    disarm(handle);
    return now < deadline;
  }
  const TimeNs left = until - now;
  const timespec timeout{.tv_sec = static_cast<time_t>(left / kSecond),
                         .tv_nsec = static_cast<long>(left % kSecond)};
  pollfd socket{.fd = handle.socket, .events = POLLIN, .revents = 0};
  const int ready = ppoll(&socket, 1, until == kNever ? nullptr : &timeout, nullptr);
  handle.patience.slept(monotonic_now() - now, ready > 0);
  if (handle.attached()) {
    disarm(handle);
    if (ready > 0 && !drain_socket(handle)) handle.hung_up = true;
  }
  return ready > 0 || until < deadline;
}

bool make_descriptors(Handle& handle) noexcept {
  handle.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  handle.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  handle.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  bool made = handle.epoll_fd >= 0 && handle.kick_fd >= 0 && handle.timer_fd >= 0;
  for (const int fd : {handle.kick_fd, handle.timer_fd, handle.socket}) {
    if (!made || fd < 0) continue;
    epoll_event event{.events = EPOLLIN | (fd == handle.socket ? EPOLLRDHUP : 0u), .data = {}};
    made = epoll_ctl(handle.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
  }
  if (made) return true;
  for (int* fd : {&handle.epoll_fd, &handle.kick_fd, &handle.timer_fd}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  return false;
}

void settle(Handle& handle, bool worked) noexcept {
  if (handle.epoll_fd < 0) return;
  if (!handle.attached()) {
    set_kick(handle, false);
    set_timer(handle, handle.link != Link::Gone);
    return;
  }
  set_timer(handle, false);
  if (!has_work(handle, std::memory_order_acquire)) {
    // Nothing was there, so it was a byte (or nothing) that woke us; or one is on its way.
    if ((!worked || handle.byte_owed) && !drain_socket(handle)) handle.hung_up = true;
    if (!handle.hung_up && arm(handle)) {
      set_kick(handle, false);
      return;
    }
  }
  set_kick(handle, true);
}

}  // namespace phalanx::client
