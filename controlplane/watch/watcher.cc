#include "controlplane/watch/watcher.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "controlplane/watch/daemon_socket.h"
#include "ipc/base/fd.h"
#include "ipc/shm/statistics_sum.h"

namespace phalanx::watch {
namespace {

constexpr std::size_t kStatusBytesMax = 16 << 20;

DaemonSocket socket_at(const std::string& path) {
  return {.path = path,
          .attempted = "cannot look at the node through " + path,
          .permitted = "run as root, as the daemon's user, or as one of client.uids",
          .trusts_root_directory = true};
}

struct Packet {
  std::string text;
  Fd descriptor;
};

Expected<Packet, Error> receive(int socket_fd, const std::string& path) {
  const ssize_t size = recv(socket_fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  if (size < 0) return fail(no_answer(socket_at(path), "recv", errno));
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
    return fail(no_answer(socket_at(path), "recvmsg", errno));
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
  const auto socket_fd = connect_to(socket_at(path), patience);
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

std::unique_ptr<Sample> take_sample(const shm::StatisticsMemory& from) {
  auto sample = std::make_unique<Sample>();
  sample->taken_at = monotonic_now();
  for (std::size_t i = 0; i < shm::kCounters; ++i) {
    sample->counters[i] = shm::read_counter(from, static_cast<shm::Counter>(i));
  }
  if (!shm::read_status(from, sample->status) || sample->status.written_at == 0) return nullptr;
  if (!shm::read_tables(from, sample->tables)) return nullptr;
  if (from.workers() == 1) return sample;
  sample->workers.resize(from.workers());
  for (std::size_t i = 0; i < from.workers(); ++i) {
    Sample::Worker& worker = sample->workers[i];
    for (std::size_t c = 0; c < shm::kCounters; ++c) {
      worker.counters[c] = shm::read_counter(from.layout(i), static_cast<shm::Counter>(c));
    }
    if (!shm::read_status(from.layout(i), worker.status)) return nullptr;
  }
  return sample;
}

}  // namespace phalanx::watch
