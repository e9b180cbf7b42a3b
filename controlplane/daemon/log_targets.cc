#include "controlplane/daemon/log_targets.h"

#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace phalanx::controlplane {
namespace {

/// False: not all of it was taken.
bool write_all(int to, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t done = ::write(to, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

Expected<LogFile, Error> LogFile::open(const std::string& path) {
  LogFile file;
  file.path_ = path;
  // Not blocking: a pipe in its place that nobody reads must not stop the control plane.
  file.fd_.reset(::open(path.c_str(),
                        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
  if (file.fd_) return file;
  return fail(system_error("cannot open the log file " + path, "open", errno,
                           "make its directory, or set log.file to a file that this user may "
                           "write to"));
}

void LogFile::write(std::string_view line) noexcept {
  if (!fd_ || !write_all(fd_.get(), line)) ++lost_;
}

Expected<void, Error> LogFile::reopen() {
  auto anew = open(path_);
  if (!anew) return fail(std::move(anew.error()));
  fd_ = std::move(anew->fd_);
  return {};
}

void write_to_stderr(std::string_view line) noexcept { (void)write_all(STDERR_FILENO, line); }

void write_to_syslog(config::LogLevel level, const std::string& text) noexcept {
  static const bool opened = [] {
    openlog("phalanx", LOG_PID, LOG_DAEMON);
    return true;
  }();
  (void)opened;
  int priority = LOG_INFO;
  switch (level) {
    case config::LogLevel::Error:
      priority = LOG_ERR;
      break;
    case config::LogLevel::Warn:
      priority = LOG_WARNING;
      break;
    case config::LogLevel::Info:
      priority = LOG_INFO;
      break;
    case config::LogLevel::Debug:
      priority = LOG_DEBUG;
      break;
  }
  syslog(priority, "%s", text.c_str());
}

}  // namespace phalanx::controlplane
