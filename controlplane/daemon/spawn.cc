#include "controlplane/daemon/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>

extern char** environ;

namespace phalanx::controlplane {

namespace {

/// A file without a name that holds `text`, to be read from its beginning.
Expected<Fd, Error> file_of(const std::string& text) {
  Fd fd(memfd_create("phalanx-input", MFD_CLOEXEC));
  const bool whole =
      fd && pwrite(fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  if (!whole) return fail(system_error("cannot hand input over", "memfd_create", errno));
  return fd;
}

}  // namespace

Expected<pid_t, Error> spawn_detached(const std::string& program,
                                      const std::vector<std::string>& arguments,
                                      const std::string& input) {
  const auto in = file_of(input);
  if (!in) return fail(in.error());
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in->get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return fail(system_error("cannot start " + program, "posix_spawn", error,
                             "install it beside phalanx-controlplane, or start it yourself and use "
                             "--no-dataplane-start"));
  }
  // Our own urgency is not the child's. Before it has threads, which would keep what they got.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 0);
  return pid;
}

Expected<Fd, Error> open_process(pid_t pid) {
  Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd)
    return fail(system_error("cannot watch process " + std::to_string(pid), "pidfd_open", errno));
  return fd;
}

Expected<Fd, Error> open_thread(pid_t thread) {
  constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD; Debian 12's headers lack it.
  Fd fd(static_cast<int>(syscall(SYS_pidfd_open, thread, kPidfdThread)));
  if (fd) return fd;
  return fail(system_error("cannot watch thread " + std::to_string(thread), "pidfd_open", errno));
}

void let_die_last(pid_t child) {
  std::error_code error;
  std::filesystem::directory_iterator thread("/proc/" + std::to_string(child) + "/task", error);
  for (; !error && thread != std::filesystem::directory_iterator(); thread.increment(error)) {
    const int id = std::atoi(thread->path().filename().c_str());
    if (id > 0) (void)setpriority(PRIO_PROCESS, static_cast<id_t>(id), 19);
  }
}

std::string reap(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) != pid) return {};
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

std::string find_data_plane() {
  std::error_code error;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const auto beside = own / "phalanx-dataplane";
  const auto build_tree = own / "../../dataplane/daemon/phalanx-dataplane";
  if (!std::filesystem::exists(beside, error) && std::filesystem::exists(build_tree, error)) {
    return std::filesystem::canonical(build_tree, error).string();
  }
  return beside.string();
}

}  // namespace phalanx::controlplane
