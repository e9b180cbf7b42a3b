#include "transport/shm/host_sockets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

namespace phalanx::transport::shm {
namespace {

constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;

std::string lock_file(const std::string& directory) { return directory + "/alive"; }

Expected<void, Error> make_directory(const std::string& path) {
  const std::string attempted =
      "cannot use the directory " + path + " for the sockets of this host's nodes";
  const std::string remedy = "set node.runtime_directory or PHX_RUNTIME_DIR to another one";
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    Error error = system_error(attempted, "mkdir", errno, remedy);
    if (error.code != ExitCode::Permission) error.code = ExitCode::Usage;
    return fail(std::move(error));
  }
  // Peers map the memory that they are passed there: whoever may write to it is believed.
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
      (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return {};
  }
  return fail(Error{.code = ExitCode::Permission,
                    .attempted = attempted,
                    .observed = "it belongs to another user, or others may write to it",
                    .remedy = remedy});
}

/// Length 0: from there to the end.
struct flock range(short kind, off_t start, off_t length) noexcept {
  struct flock out {};
  out.l_type = kind;
  out.l_whence = SEEK_SET;
  out.l_start = start;
  out.l_len = length;
  return out;
}

bool lock(int file, off_t start, off_t length) noexcept {
  struct flock wanted = range(F_WRLCK, start, length);
  return fcntl(file, F_OFD_SETLK, &wanted) == 0;
}

/// The last one to leave locks all of the file for a moment; a node holds one byte of it.
bool somebody_leaves(int file, NodeId self) noexcept {
  struct flock held = range(F_WRLCK, self, 1);
  return fcntl(file, F_OFD_GETLK, &held) == 0 && (held.l_type == F_UNLCK || held.l_len == 0);
}

/// The last one to leave takes the file away, so who locks it looks whether it is still there.
bool still_there(int file, const std::string& path) noexcept {
  struct stat opened {};
  struct stat named {};
  return fstat(file, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

Expected<HostSockets, Error> HostSockets::open(std::string directory, NodeId self) {
  HostSockets out(std::move(directory), self, Fd());
  const std::string path = out.path_of(self);
  const std::string attempted = "cannot listen on the socket " + path;
  if (path.size() > kPathMax) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = attempted,
                      .observed = "its path has " + std::to_string(path.size()) + " bytes, " +
                                  std::to_string(kPathMax) + " are allowed",
                      .remedy = "use a shorter runtime directory or cluster name"});
  }
  Fd locks;
  do {
    if (auto made = make_directory(out.directory_); !made) return fail(std::move(made.error()));
    const std::string file = lock_file(out.directory_);
    locks.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!locks && errno == ENOENT) continue;
    if (!locks) return fail(system_error("cannot open " + file, "open", errno));
    if (!lock(locks.get(), self, 1)) {
      if (somebody_leaves(locks.get(), self)) {
        locks.reset();
        continue;
      }
      return fail(Error{.code = ExitCode::Usage,
                        .attempted = attempted,
                        .observed = "another process of this host is node " + std::to_string(self) +
                                    " of this cluster",
                        .remedy = "stop it, or give this one another node.id"});
    }
  } while (!locks || !still_there(locks.get(), lock_file(out.directory_)));
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(system_error("cannot remove the dead socket " + path, "unlink", errno));
  }
  out.locks_ = std::move(locks);
  return out;
}

HostSockets::~HostSockets() {
  if (!locks_) return;
  unlink(path_of(self_).c_str());
  if (!lock(locks_.get(), 0, 0)) return;
  unlink(lock_file(directory_).c_str());
  rmdir(directory_.c_str());
}

std::string HostSockets::path_of(NodeId node) const {
  return directory_ + "/" + std::to_string(node) + ".sock";
}

bool HostSockets::is_alive(NodeId node) const noexcept {
  struct flock asked = range(F_WRLCK, node, 1);
  return fcntl(locks_.get(), F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
}

}  // namespace phalanx::transport::shm
