#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ipc/client/map/handle.h"
#include "ipc/client/path.h"

namespace phalanx::client::map {
namespace {

constexpr int kTimeoutMs = 5000;
constexpr TimeNs kLookInterval = kMillisecond;

bool send_request(const Map& map, shm::MapRequest head, std::string_view key,
                  std::span<const std::byte> value) noexcept {
  head.key_bytes = static_cast<std::uint32_t>(key.size());
  head.value_bytes = static_cast<std::uint32_t>(value.size());
  iovec parts[] = {{&head, sizeof head},
                   {const_cast<char*>(key.data()), key.size()},
                   {const_cast<std::byte*>(value.data()), value.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 3;
  ssize_t sent = -1;
  do sent = sendmsg(map.socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

enum class Came : std::uint8_t { Answer, Wake, Nothing, End };

/// Receives one packet into map.packet, and a descriptor when the caller wants one.
Came receive(Map& map, int flags, int* fd = nullptr) noexcept {
  iovec part{map.packet, sizeof map.packet};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = fd == nullptr ? 0 : sizeof control;
  map.items_at = 0;  // Whatever statistics there were: they are written over.
  ssize_t got = -1;
  do got = recvmsg(map.socket, &message, flags | MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN ? Came::Nothing : Came::End;
  if (cmsghdr* c = fd == nullptr ? nullptr : CMSG_FIRSTHDR(&message);
      c != nullptr && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
    std::memcpy(fd, CMSG_DATA(c), sizeof *fd);
  }
  map.packet_bytes = static_cast<std::size_t>(got);
  if (map.packet_bytes < sizeof(shm::MapReply)) return Came::End;
  const shm::MapReply head = answer_head(map);
  if (head.magic != shm::kMapProtocolMagic) return Came::End;
  if (head.kind == shm::MapReplyKind::Wake) return Came::Wake;
  return head.bytes == map.packet_bytes - sizeof head ? Came::Answer : Came::End;
}

phx_status map_memory(Map& map, int fd) noexcept {
  struct stat st {};
  const int seals = fcntl(fd, F_GET_SEALS);
  if (fstat(fd, &st) != 0 || seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
      st.st_size != static_cast<off_t>(sizeof(shm::MapLayout))) {
    return PHX_VERSION;
  }
  void* at = mmap(nullptr, sizeof(shm::MapLayout), PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return PHX_NO_MEMORY;
  madvise(at, sizeof(shm::MapLayout), MADV_DONTFORK);
  map.memory = static_cast<const shm::MapLayout*>(at);
  map.reader = shm::MapReader(map.memory);
  return map.memory->magic == shm::kMapMagic && map.memory->version == shm::kMapVersion
             ? PHX_OK
             : PHX_VERSION;
}

phx_status say_hello(Map& map) noexcept {
  // Who may not attach is told so unasked, perhaps before this is sent.
  (void)send_request(map, {}, {}, {});
  int fd = -1;
  Came came = receive(map, 0, &fd);
  // What an unread Hello makes of a refusal; it lies behind.
  if (came == Came::End && errno == ECONNRESET) came = receive(map, 0, &fd);
  phx_status status = PHX_TRY_AGAIN;
  if (came == Came::Answer) {
    const shm::MapReply head = answer_head(map);
    status = head.version == shm::kMapVersion ? status_of(head.status) : PHX_VERSION;
    if (status == PHX_OK) status = fd < 0 ? PHX_VERSION : map_memory(map, fd);
  }
  if (fd >= 0) close(fd);
  return status;
}

}  // namespace

phx_status connect_map(Map& map, const phx_map_options& options) noexcept {
  SocketPath path;
  if (!find_socket(options.instance, options.runtime_directory, "map.sock", path)) {
    return PHX_INVALID;
  }
  map.socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (map.socket < 0) return status_of_connect(errno);
  const int timeout_ms = options.timeout_ms > 0 ? options.timeout_ms : kTimeoutMs;
  const timeval time{.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
  setsockopt(map.socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  setsockopt(map.socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  int done = -1;
  do {
    done =
        connect(map.socket, reinterpret_cast<const sockaddr*>(&path.address), sizeof path.address);
  } while (done != 0 && errno == EINTR);
  if (done != 0) return status_of_connect(errno);
  if (path.check_owner && !owner_is_trusted(map.socket)) return PHX_ACCESS;
  return say_hello(map);
}

phx_status ask(Map& map, const shm::MapRequest& head, std::string_view key,
               std::span<const std::byte> value) noexcept {
  if (map.gone) return PHX_DISCONNECTED;
  bool woken = false;
  Came came = send_request(map, head, key, value) ? Came::Wake : Came::End;
  while (came == Came::Wake) {
    came = receive(map, 0);
    woken = woken || came == Came::Wake;
  }
  if (came != Came::Answer) {
    // Too late, too: its answer could be taken for that of the next question.
    map.gone = true;
    shutdown(map.socket, SHUT_RDWR);
    return PHX_DISCONNECTED;
  }
  if (woken) {
    // It was for a thread that sleeps in dispatch, or for the descriptor: both want another.
    map.armed = false;
    arm(map);
  }
  return status_of(answer_head(map).status);
}

shm::MapReply answer_head(const Map& map) noexcept {
  shm::MapReply head;
  std::memcpy(&head, map.packet, sizeof head);
  return head;
}

std::span<const std::byte> answer_body(const Map& map) noexcept {
  return {map.packet + sizeof(shm::MapReply), map.packet_bytes - sizeof(shm::MapReply)};
}

void arm(Map& map) noexcept {
  if (map.armed || map.gone) return;
  if (map.tracker_count == 0 && !map.reader.end(map.cursor)) map.gone = true;
  const shm::MapRequest head{.kind = shm::MapRequestKind::Arm, .position = map.cursor.position};
  map.armed = !map.gone && send_request(map, head, {}, {});
  map.gone = !map.armed;
}

void take_wakes(Map& map) noexcept {
  while (!map.gone) {
    switch (receive(map, MSG_DONTWAIT)) {
      case Came::Nothing:
        return;
      case Came::Wake:
        map.armed = false;
        break;
      case Came::Answer:  // To no question.
      case Came::End:
        map.gone = true;
        break;
    }
  }
}

bool is_gone(Map& map) noexcept {
  const TimeNs now = monotonic_now();
  if (map.gone || now - map.last_look < kLookInterval) return map.gone;
  map.last_look = now;
  // Not by reading: a Wake that nobody has taken yet would hide the end behind it.
  pollfd socket{.fd = map.socket, .events = POLLRDHUP, .revents = 0};
  map.gone = poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  return map.gone;
}

phx_status status_of(shm::MapStatus status) noexcept {
  switch (status) {
    case shm::MapStatus::Ok:
      return PHX_OK;
    case shm::MapStatus::NotFound:
      return PHX_NOT_FOUND;
    case shm::MapStatus::WrongType:
      return PHX_WRONG_TYPE;
    case shm::MapStatus::WrongSize:
      return PHX_WRONG_SIZE;
    case shm::MapStatus::TooBig:
      return PHX_TOO_BIG;
    case shm::MapStatus::BadName:
      return PHX_BAD_NAME;
    case shm::MapStatus::NameTooLong:
      return PHX_NAME_TOO_LONG;
    case shm::MapStatus::ReadOnly:
      return PHX_READ_ONLY;
    case shm::MapStatus::Access:
      return PHX_ACCESS;
    case shm::MapStatus::Overflow:
      return PHX_OVERFLOW;
    case shm::MapStatus::Full:
      return PHX_FULL;
    case shm::MapStatus::Limit:
      return PHX_LIMIT;
    case shm::MapStatus::Exists:
      return PHX_EXISTS;
    case shm::MapStatus::Version:
    case shm::MapStatus::Malformed:
    case shm::MapStatus::Unknown:
      break;
  }
  return PHX_VERSION;
}

}  // namespace phalanx::client::map
