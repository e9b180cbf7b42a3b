#include "dataplane/daemon/control_listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace phalanx::dataplane {
namespace {

/// Who may write there could take the socket's place, or the lock's.
Expected<void, Error> check_directory(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return fail(system_error("cannot use the runtime directory " + path, "lstat", errno));
  }
  const bool ours = S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
                    (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (ours) return {};
  return fail(Error{.code = ExitCode::Permission,
                    .attempted = "cannot use the runtime directory " + path,
                    .observed = S_ISDIR(status.st_mode)
                                    ? "it belongs to another user, or others may write to it"
                                    : "it is not a directory",
                    .remedy = "set node.runtime_directory or PHX_RUNTIME_DIR to another one"});
}

Expected<void, Error> make_directory(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path directory(path);
  fs::create_directories(directory.parent_path(), error);
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return check_directory(path);
  Error failure = system_error("cannot make the runtime directory " + path, "mkdir", errno,
                               "make it, or set node.runtime_directory or PHX_RUNTIME_DIR");
  if (errno == EACCES || errno == EPERM) failure.code = ExitCode::Permission;
  return fail(std::move(failure));
}

}  // namespace

Expected<ControlListener, Error> ControlListener::open(const std::string& instance_directory) {
  if (auto made = make_directory(instance_directory); !made) return fail(std::move(made.error()));
  const std::string path = instance_directory + "/dataplane.sock";
  const std::string what = "cannot listen on " + path;
  const std::string lock_path = instance_directory + "/dataplane.lock";
  Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail(system_error("cannot open " + lock_path, "open", errno));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Error{.attempted = what,
                      .observed = "another data plane of this instance is running",
                      .remedy = "stop it, or give this one another --instance"});
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = what,
                      .observed = "the path is over 107 bytes long",
                      .remedy = "choose a shorter node.runtime_directory"});
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return fail(system_error(what, "socket", errno));
  unlink(path.c_str());  // Ours by the lock: what lies there is a dead data plane's.
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(system_error(what, "bind", errno));
  }
  if (chmod(path.c_str(), 0600) != 0 || listen(listener.get(), 4) != 0) {
    return fail(system_error(what, "listen", errno));
  }
  return ControlListener(path, std::move(lock), std::move(listener));
}

ControlListener::~ControlListener() {
  if (socket_) unlink(path_.c_str());
}

Fd ControlListener::accept() const noexcept {
  return Fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

}  // namespace phalanx::dataplane
