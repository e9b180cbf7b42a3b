#include "controlplane/cli/demo/supervise.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>

#include "controlplane/cli/program.h"

namespace phalanx::cli {
namespace {

namespace fs = std::filesystem;

volatile std::sig_atomic_t worker_pid = 0;

extern "C" void pass_on(int number) {
  if (worker_pid > 0) kill(static_cast<pid_t>(worker_pid), number);
}

/// The parent of a process, from the fourth field of its stat line, behind the name in brackets.
pid_t parent_of(const fs::path& process) {
  std::string line;
  std::getline(std::ifstream(process / "stat"), line);
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos || bracket + 4 >= line.size()) return 0;
  return static_cast<pid_t>(std::strtol(line.c_str() + bracket + 4, nullptr, 10));
}

void kill_children() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [rest, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc{} || rest != name.data() + name.size()) continue;
    if (parent_of(entry.path()) == getpid()) kill(pid, SIGKILL);
  }
}

// We are the subreaper: when a process dies, its children become ours. So killing our children
// until there are none reaches everything, whatever session it has made for itself.
void end_all() {
  for (;;) {
    kill_children();
    int status = 0;
    if (waitpid(-1, &status, 0) < 0 && errno == ECHILD) return;
  }
}

}  // namespace

ExitCode supervise(const std::function<ExitCode()>& work, const std::vector<std::string>& paths) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t own = getpid();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != own) _exit(1);
    _exit(static_cast<int>(after_output(work())));
  }
  worker_pid = child;
  struct sigaction action {};
  action.sa_handler = pass_on;
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);

  int status = 0;
  pid_t ended = child < 0 ? -1 : 0;
  while (ended != child && ended >= 0) ended = waitpid(-1, &status, 0);
  worker_pid = 0;
  end_all();
  std::error_code error;
  for (const std::string& path : paths) fs::remove_all(path, error);
  return ended == child && WIFEXITED(status) ? static_cast<ExitCode>(WEXITSTATUS(status))
                                             : ExitCode::Failed;
}

}  // namespace phalanx::cli
