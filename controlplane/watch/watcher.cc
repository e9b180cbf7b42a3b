#include "controlplane/watch/watcher.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "ipc/base/fd.h"

namespace phalanx::watch {
namespace {

constexpr std::size_t kStatusBytesMax = 16 << 20;

Error no_answer(const std::string& path, const char* call, int errno_value) {
  Error error = system_error("cannot look at the node through " + path, call, errno_value,
                             "is phalanx-controlplane running, and is --instance its name?");
  if (errno_value == ENOENT || errno_value == ECONNREFUSED || errno_value == ENOTDIR) {
    error.code = ExitCode::NotRunning;
  } else if (error.code == ExitCode::Permission) {
    error.remedy = "run as root, as the daemon's user, or as one of client.uids";
  } else if (errno_value == EAGAIN) {
    error.code = ExitCode::TimeOut;
    error.remedy = "the control plane runs but does not answer; see its log";
  }
  return error;
}

/// In a directory that only root can have made, whoever listens was let in by root. Elsewhere it
/// must be root or our own user: another one took the place of a daemon.
bool is_trusted(int socket_fd, const std::string& path) noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  return geteuid() == 0 || path.starts_with("/run/phalanx/") ||
         (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
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
  if (!is_trusted(socket_fd.get(), path)) {
    return fail(Error{.code = ExitCode::Permission,
                      .attempted = "cannot look at the node through " + path,
                      .observed = "another user than root and this one listens there",
                      .remedy = "set PHX_RUNTIME_DIR to a directory that is yours"});
  }
  return socket_fd;
}

struct Packet {
  std::string text;
  Fd descriptor;
};

Expected<Packet, Error> receive(int socket_fd, const std::string& path) {
  const ssize_t size = recv(socket_fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  if (size < 0) return fail(no_answer(path, "recv", errno));
  if (size == 0 || static_cast<std::size_t>(size) > kStatusBytesMax) {
    return fail(Error{.attempted = "cannot look at the node through " + path,
                      .observed = size == 0 ? "it hung up" : "its answer is too long",
                      .remedy = "see the control plane's log"});
  }
  Packet packet{.text = std::string(static_cast<std::size_t>(size), '\0'), .descriptor = Fd()};
  iovec part{packet.text.data(), packet.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != size) {
    return fail(no_answer(path, "recvmsg", errno));
  }
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
    packet.descriptor.reset(fd);
  }
  return packet;
}

}  // namespace

Expected<nlohmann::json, Error> parse_status(const std::string& text) {
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object()) {
    return fail(Error{.attempted = "cannot read the status of the node",
                      .observed = "it is no JSON object",
                      .remedy = "is the daemon of this version? phalanx version"});
  }
  if (const auto error = parsed.find("error"); error != parsed.end() && error->is_object()) {
    return fail(Error{.code = static_cast<ExitCode>(error->value("code", 1)),
                      .attempted = "the control plane refused",
                      .observed = error->value("what", std::string("no reason given")),
                      .remedy = "run as root, as the daemon's user, or as one of client.uids"});
  }
  return parsed;
}

Expected<Seen, Error> look(const std::string& directory, TimeNs patience) {
  const std::string path = directory + "/watch.sock";
  const auto socket_fd = connect_to(path, patience);
  if (!socket_fd) return fail(socket_fd.error());
  auto packet = receive(socket_fd->get(), path);
  if (!packet) return fail(packet.error());
  Seen seen{.status = std::move(packet->text), .statistics = {}};
  if (!packet->descriptor) {
    // Maybe a refusal; a status is not parsed where nobody asked for it.
    if (const auto status = parse_status(seen.status); !status) return fail(status.error());
    return seen;
  }
  auto memory = shm::StatisticsMemory::map(std::move(packet->descriptor));
  if (!memory) return fail(memory.error());
  seen.statistics.emplace(std::move(*memory));
  return seen;
}

std::unique_ptr<Sample> take_sample(const shm::StatisticsLayout& from) {
  auto sample = std::make_unique<Sample>();
  sample->taken_at = monotonic_now();
  for (std::size_t i = 0; i < shm::kCounters; ++i) {
    sample->counters[i] = shm::read_counter(from, static_cast<shm::Counter>(i));
  }
  if (!shm::read_status(from, sample->status) || sample->status.written_at == 0) return nullptr;
  if (!shm::read_tables(from, sample->tables)) return nullptr;
  return sample;
}

}  // namespace phalanx::watch
