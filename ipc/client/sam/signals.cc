#include "ipc/client/sam/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace phalanx::client::sam {
namespace {

constexpr int kPassedOn[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
constexpr int kOfJobControl[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};

bool is_ignored(int number) noexcept {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

bool is_stop_signal(int number) noexcept {
  return number == SIGTERM || number == SIGINT || number == SIGQUIT;
}

bool Signals::open() noexcept {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  // What was ignored (nohup, a shell's background job) stays so: blocked, it is never looked at.
  for (const int number : kPassedOn) {
    if (!is_ignored(number)) sigaddset(&wanted, number);
  }
  fd_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd_ < 0) return false;
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int number : kOfJobControl) sigdelset(&blocked, number);
  sigprocmask(SIG_SETMASK, &blocked, &mask_before_);
  // With SIGCHLD ignored the kernel would reap, and keep the exit status for itself.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &by_default, &child_before_);
  return true;
}

void Signals::restore() noexcept {
  sigaction(SIGCHLD, &child_before_, nullptr);
  close(std::exchange(fd_, -1));
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

Signals::Taken Signals::take() const noexcept {
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return {.number = 0, .by_terminal = false};
  }
  return {.number = static_cast<int>(info.ssi_signo), .by_terminal = info.ssi_code == SI_KERNEL};
}

}  // namespace phalanx::client::sam
