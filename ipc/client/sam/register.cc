#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "ipc/client/sam/supervisor.h"

namespace phalanx::client::sam {
namespace {

/// Room for the largest data and some health checks; the system's default is more on most hosts.
constexpr int kSendBufferBytes = 2 * PHX_SAM_DATA_BYTES_MAX;

/// The supervisor's thread must be its only one. Without /proc the caller is believed.
bool has_other_threads() noexcept {
#ifdef __SANITIZE_THREAD__
  return false;  // The sanitizer has one of its own.
#else
  struct stat tasks {};
  return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3;  // ".", "..", and this one.
#endif
}

int exit_status_of(int wait_status) noexcept {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/// Not exit(): what the program registered for its end belongs to the instances.
[[noreturn]] void end(int exit_status) noexcept {
  std::fflush(nullptr);  // What options.report may have printed.
  _exit(exit_status);
}

}  // namespace

phx_status Supervisor::run() noexcept {
  if (!signals_.open()) return PHX_NO_MEMORY;
  for (;;) {
    ++number_;
    const Fork forked = fork_instance();
    if (forked == Fork::Instance) return PHX_OK;
    if (forked == Fork::Failed && number_ == 1) {
      signals_.restore();
      return PHX_NO_MEMORY;
    }
    int delay_ms = 0;
    if (forked == Fork::Failed) {
      delay_ms = next_delay_ms();
      tell(PHX_SAM_NOT_FORKED, delay_ms);
      --number_;
    } else {
      tell(PHX_SAM_STARTED);
      note("stopped", born_);
      watch();
      note_.forget(pid_);
      delay_ms = settle();
    }
    if (delay_ms < 0 || !wait_for_next(delay_ms)) end(exit_status_);
  }
}

Supervisor::Fork Supervisor::fork_instance() noexcept {
  reaped_ = checked_ = finalized_ = failed_ = false;
  waiting_ = 0;
  phase_ = Phase::Running;
  pid_ = 0;
  deadline_ = kNever;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Fork::Failed;
  socket_.reset(ends[0]);
  Fd of_instance(ends[1]);
  std::fflush(nullptr);  // Or what is buffered now would be written by each instance.
  born_ = monotonic_now();
  pid_ = fork();
  if (pid_ == 0) {
    become_instance(of_instance.release());
    return Fork::Instance;
  }
  if (pid_ > 0) return Fork::Parent;
  pid_ = 0;
  socket_.reset();
  return Fork::Failed;
}

void Supervisor::become_instance(int socket) noexcept {
  socket_.reset();
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  sam_.socket = socket;
  sam_.pid = getpid();
  sam_.state = State::Registered;
  sam_.starts = 0;
  prctl(PR_SET_PDEATHSIG, sam_.warn_signal);
  // Had the supervisor died before that, its end of the socket would be closed by now.
  pollfd supervisor{.fd = socket, .events = 0, .revents = 0};
  if (poll(&supervisor, 1, 0) == 1) raise(sam_.warn_signal);
  signals_.restore();
}

/// What the end of an instance means. Returns the delay to the next one, -1 for none.
int Supervisor::settle() noexcept {
  socket_.reset();
  const bool in_order = WIFEXITED(wait_status_) && !checked_;
  const bool may_end = (sam_.options.flags & PHX_SAM_EXIT_ZERO_ENDS) != 0 && wait_status_ == 0;
  failed_ = failed_ || !(finalized_ || in_order || may_end);
  exit_status_ = exit_status_of(wait_status_);
  if (stopping_ || !failed_) {
    tell(PHX_SAM_ENDED);
    return -1;
  }
  if (exit_status_ == 0) exit_status_ = 1;
  const int delay_ms = sam_.options.policy == PHX_SAM_RESTART ? next_delay_ms() : -1;
  tell(PHX_SAM_FAILED, delay_ms);
  return delay_ms;
}

int Supervisor::next_delay_ms() noexcept {
  const int max = sam_.options.restart_delay_max_ms;
  const TimeNs lived = monotonic_now() - born_;
  const bool lived_long = lived >= static_cast<TimeNs>(max) * kMillisecond;
  delay_ms_ = delay_ms_ == 0 || lived_long ? sam_.options.restart_delay_ms
              : delay_ms_ > max / 2        ? max
                                           : delay_ms_ * 2;
  return delay_ms_;
}

bool Supervisor::wait_for_next(int delay_ms) noexcept {
  const TimeNs until = monotonic_now() + static_cast<TimeNs>(delay_ms) * kMillisecond;
  for (TimeNs now = monotonic_now();; now = monotonic_now()) {
    take_signals(now);
    look_at_quorum(now);
    if (stopping_) return false;
    if (now >= until) return true;
    sleep_until(until);
  }
}

}  // namespace phalanx::client::sam

phx_status phx_sam_register(uint32_t* instance) {
  namespace sam = phalanx::client::sam;
  if (!sam::is_initialized() || sam::is_registered()) return PHX_BAD_HANDLE;
  if (sam::has_other_threads()) return PHX_INVALID;
  sam::Supervisor supervisor(sam::sam());
  const phx_status status = supervisor.run();
  if (status == PHX_OK && instance != nullptr) *instance = supervisor.number();
  return status;
}
