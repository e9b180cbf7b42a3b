#include "controlplane/cli/demo/process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace phalanx::cli {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(const std::vector<std::string>& extra) {
  std::vector<std::string> out = extra;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string entry = *at;
    const std::string name = entry.substr(0, entry.find('=') + 1);
    const bool replaced = std::ranges::any_of(
        extra, [&](const std::string& e) { return e.compare(0, name.size(), name) == 0; });
    if (!replaced) out.push_back(entry);
  }
  return out;
}

/// In the child, between fork and exec. Ends it when something does not work.
[[noreturn]] void become(const SpawnOptions& options, char* const* arguments,
                         char* const* environment, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  const int log =
      options.log.empty() ? null : open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(log >= 0 ? log : null, STDOUT_FILENO);
  dup2(log >= 0 ? log : null, STDERR_FILENO);
  if (options.network >= 0 && setns(options.network, CLONE_NEWNET) != 0) _exit(127);
  const auto keep = static_cast<unsigned>(options.keep_fd);
  if (options.keep_fd >= 0) {
    fcntl(options.keep_fd, F_SETFD, 0);
    if (keep > 3) close_range(3, keep - 1, 0);
    close_range(keep + 1, ~0U, 0);
  } else {
    close_range(3, ~0U, 0);
  }
  execve(options.program.c_str(), arguments, environment);
  _exit(127);
}

/// Sums `field` (from 0) of the first line of each thread's schedstat.
std::uint64_t cpu_of_threads(const fs::path& process) {
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator(process / "task", error)) {
    std::uint64_t ran = 0;
    std::ifstream(thread.path() / "schedstat") >> ran;
    total += ran;
  }
  return total;
}

}  // namespace

Expected<pid_t, Error> spawn(const SpawnOptions& options) {
  std::vector<std::string> words = options.arguments;
  words.insert(words.begin(), options.program);
  std::vector<std::string> environment = environment_with(options.environment);
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> envp = pointers(environment);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return fail(system_error("cannot start " + options.program, "fork", errno));
  if (child == 0) become(options, argv.data(), envp.data(), parent);
  return child;
}

bool has_ended(pid_t pid) {
  int status = 0;
  return waitpid(pid, &status, WNOHANG) != 0;
}

Usage usage_of(pid_t pid) {
  const fs::path process = "/proc/" + std::to_string(pid);
  Usage usage{.cpu_ns = cpu_of_threads(process)};
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (std::ifstream statm(process / "statm"); statm >> size >> resident) {
    usage.rss_bytes = resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return usage;
}

pid_t find_child(pid_t parent, const std::string& name) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string text = entry.path().filename().string();
    pid_t pid = 0;
    const auto [rest, bad] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (bad != std::errc{} || rest != text.data() + text.size()) continue;
    // "7 (a name) S 3 ...": the name may hold anything, the parent is the second word behind it.
    const std::string stat = read_text(entry.path() / "stat");
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;  // It has ended.
    std::istringstream words(stat.substr(name_end + 1));
    std::string state;
    pid_t its_parent = 0;
    if (!(words >> state >> its_parent) || its_parent != parent) continue;
    const std::string line = read_text(entry.path() / "cmdline");
    if (fs::path(line.substr(0, line.find('\0'))).filename() == name) return pid;
  }
  return 0;
}

std::string own_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).string();
}

std::string own_command() {
  const fs::path program = own_program();
  const char* variable = std::getenv("PATH");
  std::istringstream folders(variable == nullptr ? "" : variable);
  std::error_code error;
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path found = fs::path(folder) / program.filename();
    // The first one is what a shell takes.
    if (!fs::exists(found, error)) continue;
    return fs::equivalent(found, program, error) ? program.filename().string() : program.string();
  }
  return program.string();
}

std::string find_program(const std::string& name, const std::string& build_folder) {
  const fs::path folder = fs::path(own_program()).parent_path();
  std::error_code error;
  for (const fs::path& path : {folder / name, folder / ".." / build_folder / name,
                               folder / ".." / ".." / build_folder / name}) {
    if (fs::exists(path, error)) return fs::weakly_canonical(path, error).string();
  }
  return "";
}

}  // namespace phalanx::cli
