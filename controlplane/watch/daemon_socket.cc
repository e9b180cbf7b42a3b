#include "controlplane/watch/daemon_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace phalanx::watch {
namespace {

bool is_trusted(int socket_fd, const DaemonSocket& socket) noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  return geteuid() == 0 ||
         (socket.trusts_root_directory && socket.path.starts_with("/run/phalanx/")) ||
         (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
          (peer.uid == 0 || peer.uid == geteuid()));
}

}  // namespace

Error no_answer(const DaemonSocket& socket, const char* call, int errno_value) {
  Error error = system_error(socket.attempted, call, errno_value,
                             "is phalanx-controlplane running, and is --instance its name?");
  if (errno_value == ENOENT || errno_value == ECONNREFUSED || errno_value == ENOTDIR) {
    error.code = ExitCode::NotRunning;
  } else if (error.code == ExitCode::Permission) {
    error.remedy = socket.permitted;
  } else if (errno_value == EAGAIN) {
    error.code = ExitCode::TimeOut;
    error.remedy = "the control plane runs but does not answer; see its log";
  }
  return error;
}

Error not_trusted(const DaemonSocket& socket) {
  return {.code = ExitCode::Permission,
          .attempted = socket.attempted,
          .observed = "another user than root and this one listens there",
          .remedy = "set PHX_RUNTIME_DIR to a directory that is yours"};
}

Expected<Fd, Error> connect_to(const DaemonSocket& socket, TimeNs patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.path.size() >= sizeof address.sun_path) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot reach " + socket.path,
                      .observed = "the path is longer than a socket's name may be",
                      .remedy = "set a shorter PHX_RUNTIME_DIR"});
  }
  std::memcpy(address.sun_path, socket.path.c_str(), socket.path.size());
  Fd socket_fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket_fd) return fail(no_answer(socket, "socket", errno));
  const timeval time{.tv_sec = static_cast<time_t>(patience / kSecond),
                     .tv_usec = static_cast<suseconds_t>(patience % kSecond / kMicrosecond)};
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(no_answer(socket, "connect", errno));
  }
  if (!is_trusted(socket_fd.get(), socket)) {
    return fail(not_trusted(socket));
  }
  return socket_fd;
}

}  // namespace phalanx::watch
