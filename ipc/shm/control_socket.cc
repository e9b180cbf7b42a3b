#include "ipc/shm/control_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>

#include "ipc/base/bytes.h"
#include "ipc/shm/control_layout.h"

namespace phalanx::shm {
namespace {

constexpr std::uint32_t kWelcomeMagic = 0x31576850;  // "PhW1"
constexpr std::uint32_t kPacketMagic = 0x31506850;   // "PhP1"
constexpr std::uint32_t kLineMagic = 0x314c6850;     // "PhL1"
constexpr std::size_t kPacketBytes = 24;
constexpr std::size_t kDescriptorsMax = 4;

Error gone(const char* observed) {
  return {.attempted = "cannot talk over the data plane's socket", .observed = observed};
}

Expected<void, Error> send_packet(int socket, std::span<const std::byte> bytes,
                                  std::span<const int> fds) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  if (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
  Error error = system_error("cannot talk over the data plane's socket", "sendmsg", errno);
  if (errno == EAGAIN) error.code = ExitCode::Degraded;
  return fail(std::move(error));
}

struct Received {
  std::size_t bytes = 0;
  std::array<Fd, kDescriptorsMax> fds;
  std::size_t fd_count = 0;
};

/// Empty when nothing waits. Descriptors beyond those expected are closed.
Expected<std::optional<Received>, Error> receive(int socket, std::span<std::byte> into) {
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<Received>{};
  if (n < 0)
    return fail(system_error("cannot talk over the data plane's socket", "recvmsg", errno));
  if (n == 0) return fail(gone("the other side hung up"));
  Received received;
  received.bytes = static_cast<std::size_t>(n);
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
      Fd owned(fd);
      if (received.fd_count < kDescriptorsMax) received.fds[received.fd_count++] = std::move(owned);
    }
  }
  return std::optional<Received>(std::move(received));
}

}  // namespace

Expected<void, Error> send_welcome(int socket, std::uint32_t pid,
                                   const WelcomeDescriptors& descriptors) {
  std::array<std::byte, 12> bytes{};
  store_le<std::uint32_t>(bytes.data(), kWelcomeMagic);
  store_le<std::uint32_t>(bytes.data() + 4, kControlVersion);
  store_le<std::uint32_t>(bytes.data() + 8, pid);
  const std::array<int, 4> fds{descriptors.segment, descriptors.statistics,
                               descriptors.command_doorbell, descriptors.event_doorbell};
  return send_packet(socket, bytes, fds);
}

Expected<Fd, Error> connect_data_plane(const char* socket_path) {
  const std::string what = "cannot attach to the data plane at " + std::string(socket_path);
  Fd connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!connection) return fail(system_error(what, "socket", errno));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(socket_path);
  if (length >= sizeof address.sun_path) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = what,
                      .observed = "the path is over 107 bytes long",
                      .remedy = "choose a shorter node.runtime_directory"});
  }
  std::memcpy(address.sun_path, socket_path, length + 1);
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Error error = system_error(what, "connect", errno);
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    error.code = nobody            ? ExitCode::NotRunning
                 : errno == EACCES ? ExitCode::Permission
                                   : ExitCode::Failed;
    return fail(std::move(error));
  }
  return connection;
}

Expected<std::optional<Welcome>, Error> receive_welcome(int socket) {
  std::array<std::byte, 64> bytes{};
  auto received = receive(socket, bytes);
  if (!received) return fail(std::move(received.error()));
  if (!*received) return std::optional<Welcome>{};
  if ((*received)->bytes != 12 || (*received)->fd_count != 4 ||
      load_le<std::uint32_t>(bytes.data()) != kWelcomeMagic ||
      load_le<std::uint32_t>(bytes.data() + 4) != kControlVersion) {
    return fail(Error{.attempted = "cannot attach to the data plane",
                      .observed = "a welcome of another kind or version",
                      .remedy = "run phalanx-dataplane and phalanx-controlplane of one version"});
  }
  return std::optional<Welcome>({.pid = load_le<std::uint32_t>(bytes.data() + 8),
                                 .segment = std::move((*received)->fds[0]),
                                 .statistics = std::move((*received)->fds[1]),
                                 .command_doorbell = std::move((*received)->fds[2]),
                                 .event_doorbell = std::move((*received)->fds[3])});
}

Expected<void, Error> send_adopt(int socket, const AdoptClient& client) {
  std::array<std::byte, kPacketBytes> bytes{};
  store_le<std::uint32_t>(bytes.data(), kPacketMagic);
  store_le<std::uint32_t>(bytes.data() + 4, static_cast<std::uint32_t>(ControlPacket::Kind::Adopt));
  store_le<std::uint32_t>(bytes.data() + 8, client.uid);
  store_le<std::uint32_t>(bytes.data() + 12, client.gid);
  store_le<std::uint32_t>(bytes.data() + 16, client.pid);
  store_le<std::uint32_t>(bytes.data() + 20, client.rights);
  const std::array<int, 1> fds{client.socket.get()};
  return send_packet(socket, bytes, fds);
}

namespace {

Expected<void, Error> send_bare(int socket, ControlPacket::Kind kind) {
  std::array<std::byte, kPacketBytes> bytes{};
  store_le<std::uint32_t>(bytes.data(), kPacketMagic);
  store_le<std::uint32_t>(bytes.data() + 4, static_cast<std::uint32_t>(kind));
  return send_packet(socket, bytes, {});
}

}  // namespace

Expected<void, Error> send_shutdown(int socket) {
  return send_bare(socket, ControlPacket::Kind::Shutdown);
}

Expected<void, Error> send_keys(int socket) { return send_bare(socket, ControlPacket::Kind::Keys); }

Expected<void, Error> send_log_line(int socket, const LogLine& line) {
  std::array<std::byte, 8 + kLogLineBytesMax> bytes{};
  const std::size_t length = std::min(line.text.size(), kLogLineBytesMax);
  store_le<std::uint32_t>(bytes.data(), kLineMagic);
  store_le<std::uint32_t>(bytes.data() + 4, static_cast<std::uint32_t>(line.level));
  std::memcpy(bytes.data() + 8, line.text.data(), length);
  return send_packet(socket, std::span(bytes).first(8 + length), {});
}

Expected<std::optional<LogLine>, Error> receive_log_line(int socket) {
  std::array<std::byte, 8 + kLogLineBytesMax> bytes{};
  auto received = receive(socket, bytes);
  if (!received) return fail(std::move(received.error()));
  if (!*received) return std::optional<LogLine>{};
  const std::size_t length = (*received)->bytes;
  const auto level = load_le<std::uint32_t>(bytes.data() + 4);
  if (length < 8 || load_le<std::uint32_t>(bytes.data()) != kLineMagic ||
      level > static_cast<std::uint32_t>(LogLine::Level::Debug)) {
    return fail(gone("a line of another kind"));
  }
  return std::optional<LogLine>(
      {.level = static_cast<LogLine::Level>(level),
       .text = std::string(reinterpret_cast<const char*>(bytes.data() + 8), length - 8)});
}

Expected<std::optional<ControlPacket>, Error> receive_packet(int socket) {
  std::array<std::byte, 64> bytes{};
  auto received = receive(socket, bytes);
  if (!received) return fail(std::move(received.error()));
  if (!*received) return std::optional<ControlPacket>{};
  const std::uint32_t kind = load_le<std::uint32_t>(bytes.data() + 4);
  if ((*received)->bytes != kPacketBytes || load_le<std::uint32_t>(bytes.data()) != kPacketMagic) {
    return fail(gone("a packet of another kind"));
  }
  ControlPacket packet;
  for (const auto bare : {ControlPacket::Kind::Shutdown, ControlPacket::Kind::Keys}) {
    packet.kind = bare;
    if (kind == static_cast<std::uint32_t>(bare)) return std::optional(std::move(packet));
  }
  if (kind != static_cast<std::uint32_t>(ControlPacket::Kind::Adopt) || (*received)->fd_count > 1) {
    return fail(gone("a packet that makes no sense"));
  }
  packet.kind = ControlPacket::Kind::Adopt;
  packet.client = {.uid = load_le<std::uint32_t>(bytes.data() + 8),
                   .gid = load_le<std::uint32_t>(bytes.data() + 12),
                   .pid = load_le<std::uint32_t>(bytes.data() + 16),
                   .rights = load_le<std::uint32_t>(bytes.data() + 20),
                   .socket = std::move((*received)->fds[0])};
  return std::optional(std::move(packet));
}

}  // namespace phalanx::shm
