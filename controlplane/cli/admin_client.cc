#include "controlplane/cli/admin_client.h"
#include "controlplane/json_text.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ipc/base/fd.h"

namespace phalanx::cli {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 20;

Error no_answer(const std::string& path, const char* call, int errno_value) {
  Error error = system_error("cannot ask the control plane at " + path, call, errno_value,
                             "is phalanx-controlplane running, and is --instance its name?");
  if (errno_value == ENOENT || errno_value == ECONNREFUSED || errno_value == ENOTDIR) {
    error.code = ExitCode::NotRunning;
  } else if (error.code == ExitCode::Permission) {
    error.remedy = "run as root or as the daemon's user";
  } else if (errno_value == EAGAIN) {
    error.code = ExitCode::TimeOut;
    error.remedy = "the control plane runs but does not answer; see its log";
  }
  return error;
}

/// Others than root are only served by daemons of their own user: whoever else listens there took
/// the place of one.
bool is_trusted(int socket_fd) noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  return geteuid() == 0 || (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
                            (peer.uid == 0 || peer.uid == geteuid()));
}

Expected<Fd, Error> connect_to(const std::string& path, TimeNs patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot reach " + path,
                      .observed = "the path is longer than a socket's name may be",
                      .remedy = "set a shorter PHX_RUNTIME_DIR"});
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Fd socket_fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket_fd) return fail(no_answer(path, "socket", errno));
  const timeval time{.tv_sec = static_cast<time_t>(patience / kSecond),
                     .tv_usec = static_cast<suseconds_t>(patience % kSecond / kMicrosecond)};
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(socket_fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(no_answer(path, "connect", errno));
  }
  if (!is_trusted(socket_fd.get())) {
    return fail(Error{.code = ExitCode::Permission,
                      .attempted = "cannot ask the control plane at " + path,
                      .observed = "another user than root and this one listens there",
                      .remedy = "set PHX_RUNTIME_DIR to a directory that is yours"});
  }
  return socket_fd;
}

}  // namespace

Expected<nlohmann::json, Error> ask(const std::string& directory, const nlohmann::json& request,
                                    TimeNs patience) {
  const std::string path = directory + "/admin.sock";
  const auto socket_fd = connect_to(path, patience);
  if (!socket_fd) return fail(socket_fd.error());
  const std::string text = json_text(request);
  if (send(socket_fd->get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    return fail(no_answer(path, "send", errno));
  }
  const ssize_t size = recv(socket_fd->get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
  if (size < 0) return fail(no_answer(path, "recv", errno));
  if (size == 0 || static_cast<std::size_t>(size) > kAnswerBytesMax) {
    return fail(Error{.code = ExitCode::Failed,
                      .attempted = "cannot ask the control plane at " + path,
                      .observed = size == 0 ? "it closed the connection" : "its answer is too long",
                      .remedy = "see its log"});
  }
  std::string answer(static_cast<std::size_t>(size), '\0');
  if (recv(socket_fd->get(), answer.data(), answer.size(), 0) != size) {
    return fail(no_answer(path, "recv", errno));
  }
  nlohmann::json parsed = nlohmann::json::parse(answer, nullptr, false);
  if (!parsed.is_object()) {
    return fail(Error{.attempted = "cannot read the answer of " + path,
                      .observed = "it is no JSON object",
                      .remedy = "is the daemon of this version? phalanx version"});
  }
  if (const auto error = parsed.find("error"); error != parsed.end() && error->is_object()) {
    return fail(Error{.code = static_cast<ExitCode>(error->value("code", 1)),
                      .attempted = "the control plane refused",
                      .observed = error->value("what", std::string("no reason given"))});
  }
  return parsed;
}

}  // namespace phalanx::cli
