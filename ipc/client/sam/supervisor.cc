#include "ipc/client/sam/supervisor.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ipc/client/sam/report.h"

namespace phalanx::client::sam {
namespace {

constexpr TimeNs ns_of(int ms) noexcept { return static_cast<TimeNs>(ms) * kMillisecond; }

/// More than a socket holds, so that no health check waits behind them; and an end to it, so that a
/// program that stores without pause cannot keep the supervisor from signals and deadlines.
constexpr int kMessagesPerTurn = 512;

}  // namespace

TimeNs Supervisor::interval() const noexcept { return ns_of(sam_.options.interval_ms); }

TimeNs Supervisor::grace() const noexcept {
  return interval() > 0 ? interval() : ns_of(sam_.options.stop_ms);
}

bool Supervisor::is_quorum_bound() const noexcept {
  return (sam_.options.flags & PHX_SAM_WITH_QUORUM) != 0;
}

void Supervisor::tell(phx_sam_event event, int restart_ms) const noexcept {
  report(sam_.options, {.event = event,
                        .instance = number_,
                        .pid = pid_,
                        .wait_status = reaped_ ? wait_status_ : 0,
                        .restart_ms = restart_ms});
}

MapNote::Instance Supervisor::noted() const noexcept {
  return {.daemons = sam_.options.instance,
          .pid = pid_,
          .recovery = sam_.options.policy == PHX_SAM_RESTART ? "restart" : "quit",
          .interval_ms = sam_.options.interval_ms};
}

void Supervisor::note(const char* state, TimeNs now) noexcept { note_.say(noted(), state, now); }

void Supervisor::sleep_until(TimeNs deadline) const noexcept {
  pollfd fds[] = {{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                  {.fd = socket_.get(), .events = POLLIN, .revents = 0},
                  {.fd = quorum_.fd(), .events = POLLIN, .revents = 0}};
  const TimeNs now = monotonic_now();
  const TimeNs rest = deadline > now ? deadline - now : 0;
  const timespec time{.tv_sec = static_cast<time_t>(rest / kSecond),
                      .tv_nsec = static_cast<long>(rest % kSecond)};
  // Whatever comes back, EINTR too: the caller looks at everything, and at the time.
  (void)ppoll(fds, 3, deadline == kNever ? nullptr : &time, nullptr);
}

TimeNs Supervisor::next_deadline() const noexcept {
  const bool is_timed = checked_ && interval() > 0;
  const bool bound = phase_ == Phase::Warned || (phase_ == Phase::Running && is_timed);
  const TimeNs own = bound ? deadline_ : kNever;
  const TimeNs next_try = is_quorum_bound() ? quorum_.next_try() : kNever;
  return std::min(next_try, phase_ == Phase::Killed ? own : std::min(own, stop_at_));
}

void Supervisor::watch() noexcept {
  for (;;) {
    const TimeNs now = monotonic_now();
    take_signals(now);
    take_messages(now);  // After reaping: all that it sent before it ended is taken.
    if (reaped_) return;
    look_at_quorum(now);
    judge(now);
    sleep_until(next_deadline());
  }
}

void Supervisor::take_signals(TimeNs now) noexcept {
  for (Signals::Taken signal = signals_.take(); signal.number != 0; signal = signals_.take()) {
    if (signal.number != SIGCHLD) pass_on(signal, now);
  }
  // Not only at SIGCHLD: that of a child from before the signals were blocked went by.
  reap();
}

/// All children: the program may have had some before it registered, and nobody else would.
void Supervisor::reap() noexcept {
  int status = 0;
  for (pid_t ended = waitpid(-1, &status, WNOHANG); ended > 0;
       ended = waitpid(-1, &status, WNOHANG)) {
    if (ended != pid_) continue;
    reaped_ = true;
    wait_status_ = status;
  }
}

void Supervisor::pass_on(Signals::Taken signal, TimeNs now) noexcept {
  if (is_stop_signal(signal.number) && !stopping_) {
    stopping_ = true;
    if (sam_.options.stop_ms > 0) stop_at_ = now + ns_of(sam_.options.stop_ms);
  }
  if (reaped_ || pid_ == 0) return;  // There is none; kill(0) would be our whole process group.
  // Ctrl-C reaches the foreground group as a whole; a second one would end it the hard way.
  if (signal.by_terminal && getpgid(pid_) == getpgrp()) return;
  kill(pid_, signal.number);
}

void Supervisor::take_messages(TimeNs now) noexcept {
  for (int i = 0; i < kMessagesPerTurn || reaped_; ++i) {
    const ssize_t bytes = recv(socket_.get(), &packet_, sizeof packet_, MSG_DONTWAIT);
    if (bytes > 0) {
      on_message(static_cast<std::size_t>(bytes), now);
    } else if (bytes == 0) {
      socket_.reset();  // Closed by all who had it. A negative descriptor is none to ppoll().
      return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

void Supervisor::on_message(std::size_t bytes, TimeNs now) noexcept {
  if (bytes < sizeof(Message)) return;  // A program gone wild may write anything anywhere.
  const std::size_t data_bytes = bytes - sizeof(Message);
  switch (packet_.message.kind) {
    case Kind::Start:
      return start(packet_.message.value, now);
    case Kind::Beat:
      if (phase_ == Phase::Running) {
        deadline_ = now + interval();
        note_.renew(noted(), now);
      }
      return;
    case Kind::Stop:
      waiting_ = 0;
      checked_ = false;
      return note("stopped", now);
    case Kind::Unhealthy:
      if (phase_ == Phase::Running && checked_ && !reaped_) warn(PHX_SAM_UNHEALTHY, now);
      return;
    case Kind::MarkFailed:
      failed_ = true;
      if (phase_ != Phase::Killed && !reaped_) kill_instance(PHX_SAM_MARKED);
      return;
    case Kind::WarnSignal:
      sam_.warn_signal = static_cast<int>(packet_.message.value);
      return;
    case Kind::Store:
      std::memcpy(sam_.data, packet_.data, data_bytes);
      sam_.data_bytes = static_cast<std::uint32_t>(data_bytes);
      return;
    case Kind::Finalize:
      finalized_ = true;
      waiting_ = 0;
      checked_ = false;
      return note("stopped", now);
    case Kind::Go:
      return;  // Ours to say.
  }
}

void Supervisor::start(std::uint32_t number, TimeNs now) noexcept {
  if (is_quorum_bound()) {
    if (!quorum_.quorate()) {
      waiting_ = number;
      note("waiting for quorum", now);
      return tell(PHX_SAM_WAITING);
    }
    const Message go{.kind = Kind::Go, .value = number};
    (void)send(socket_.get(), &go, sizeof go, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  waiting_ = 0;
  checked_ = true;
  if (phase_ == Phase::Running) {
    deadline_ = now + interval();
    note("running", now);
  }
}

void Supervisor::look_at_quorum(TimeNs now) noexcept {
  if (!is_quorum_bound()) return;
  quorum_.step(sam_.options.instance, now);
  const bool lost = quorum_.take_lost();
  if (reaped_ || phase_ != Phase::Running) return;
  if (lost && checked_) return warn(PHX_SAM_QUORUM_LOST, now);
  if (waiting_ != 0 && quorum_.quorate()) start(waiting_, now);
}

void Supervisor::judge(TimeNs now) noexcept {
  if (phase_ == Phase::Killed) return;
  if (now >= stop_at_) return kill_instance(PHX_SAM_KILLED);
  if (phase_ == Phase::Warned) {
    if (now >= deadline_) kill_instance(PHX_SAM_KILLED);
    return;
  }
  if (!checked_ || interval() == 0 || now < deadline_) return;
  if (now - deadline_ >= interval()) {
    // This process itself did not run for long: stopped, or the host was. Perhaps the instance
    // was too, so it gets its interval.
    deadline_ = now + interval();
    return;
  }
  warn(PHX_SAM_LATE, now);
}

void Supervisor::warn(phx_sam_event why, TimeNs now) noexcept {
  phase_ = Phase::Warned;
  failed_ = true;
  deadline_ = now + grace();
  kill(pid_, sam_.warn_signal);
  note("failed", now);
  tell(why);
}

void Supervisor::kill_instance(phx_sam_event why) noexcept {
  phase_ = Phase::Killed;
  kill(pid_, SIGKILL);
  if (failed_) note("failed", monotonic_now());
  tell(why);
}

}  // namespace phalanx::client::sam
