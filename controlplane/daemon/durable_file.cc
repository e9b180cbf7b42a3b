#include "controlplane/daemon/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "ipc/base/fd.h"

namespace phalanx::controlplane {

std::string state_file_remedy(int error, const std::string& directory) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space there, or set node.state_directory to another file system";
    case EACCES:
    case EPERM:
    case EROFS:
      return "let this user write to " + directory + " (chown), or set node.state_directory";
    case ENOENT:
      return "create " + directory + ", or set node.state_directory";
    default:
      return "mend the file system, or set node.state_directory";
  }
}

Expected<void, Error> write_durably(const std::string& directory, const std::string& path,
                                    std::string_view text) {
  const std::string attempted = "cannot write the state file " + path;
  const std::string fresh = path + ".new";
  const auto failed = [&](const char* call) {
    const int error = errno;
    ::unlink(fresh.c_str());
    return fail(system_error(attempted, call, error, state_file_remedy(error, directory)));
  };

  Fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return failed("open");
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) {
    if (written >= 0) errno = ENOSPC;  // A short write to a file: the next one would say so.
    return failed("write");
  }
  if (fsync(fd.get()) != 0) return failed("fsync");
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("rename");
  const Fd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return failed("open directory");
  if (fsync(opened.get()) != 0) return failed("fsync directory");
  return {};
}

}  // namespace phalanx::controlplane
