#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/client/map/handle.h"

namespace phalanx::client::map {
namespace {

constexpr int kTimeoutMs = 5000;
constexpr TimeNs kLookInterval = kMillisecond;

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

/// What phx_ipc_connect() says, in the words of phx_map_open().
phx_status status_of_opening(phx_status status) noexcept {
  if (status == PHX_NOT_SUPPORTED) return PHX_VERSION;  // Another version is another service.
  return status == PHX_BAD_NAME ? PHX_INVALID : status;
}

/// Whether a daemon refuses a request with that. All else is the connection's.
bool is_answer(phx_status status) noexcept {
  switch (static_cast<int>(status)) {
    case PHX_OK:
    case PHX_NOT_FOUND:
    case PHX_WRONG_TYPE:
    case PHX_WRONG_SIZE:
    case PHX_TOO_BIG:
    case PHX_BAD_NAME:
    case PHX_NAME_TOO_LONG:
    case PHX_READ_ONLY:
    case PHX_ACCESS:
    case PHX_OVERFLOW:
    case PHX_FULL:
    case PHX_LIMIT:
    case PHX_EXISTS:
      return true;
    default:
      return false;
  }
}

phx_status understood(Map& map, phx_status status) noexcept {
  if (is_answer(status)) return status;
  // Too late, too: whether it is carried out is not known, and all handles of it shall see the end.
  map.gone = true;
  shutdown(map.socket, SHUT_RDWR);
  return PHX_DISCONNECTED;
}

}  // namespace

Question::Question(shm::MapCall call, shm::MapRequest head, std::string_view key,
                   std::span<const std::byte> value) noexcept
    : call_(call),
      head_(head),
      parts_{{&head_, sizeof head_},
             {const_cast<char*>(key.data()), key.size()},
             {const_cast<std::byte*>(value.data()), value.size()}} {
  head_.key_bytes = static_cast<std::uint32_t>(key.size());
}

phx_status connect_map(Map& map, const phx_map_options& options) noexcept {
  map.timeout_ms = options.timeout_ms > 0 ? options.timeout_ms : kTimeoutMs;
  const phx_ipc_options wanted{.struct_bytes = sizeof wanted,
                               .runtime_directory = options.runtime_directory,
                               .request_ring_bytes = shm::kMapRingBytes,
                               .response_ring_bytes = shm::kMapRingBytes,
                               .dispatch_ring_bytes = shm::kMapRingBytes,
                               .message_bytes_max = shm::kMapMessageBytesMax,
                               .connect_timeout_ms = map.timeout_ms,
                               .wait = PHX_IPC_SLEEP,
                               .instance = options.instance != nullptr && *options.instance != '\0'
                                               ? options.instance
                                               : "default"};
  const phx_status status =
      status_of_opening(phx_ipc_connect("map", shm::kMapService, &wanted, &map.connection));
  if (status != PHX_OK) return status;
  int memory = -1;
  if (phx_ipc_fd(map.connection, &map.socket) != PHX_OK ||
      phx_ipc_attachment(map.connection, &memory) != PHX_OK) {
    return PHX_VERSION;
  }
  const phx_status mapped = map_memory(map, memory);
  close(memory);
  return mapped;
}

phx_status ask(Map& map, const Question& question, std::span<std::byte> answer,
               std::size_t* answer_bytes) noexcept {
  if (map.gone) return PHX_DISCONNECTED;
  const iovec room{answer.data(), answer.size()};
  return understood(map, phx_ipc_callv(map.connection, question.id(), question.parts(),
                                       Question::kParts, &room, 1, answer_bytes, map.timeout_ms));
}

phx_status ask_in_place(Map& map, const Question& question, std::size_t bytes_max,
                        phx_ipc_reply& answer) noexcept {
  if (map.gone) return PHX_DISCONNECTED;
  return understood(map, phx_ipc_call_pinned(map.connection, question.id(), question.parts(),
                                             Question::kParts, bytes_max, &answer, map.timeout_ms));
}

void arm(Map& map) noexcept {
  if (map.armed || map.gone) return;
  if (map.tracker_count == 0 && !map.reader.end(map.cursor)) map.gone = true;
  const Question question(shm::MapCall::Arm, {.position = map.cursor.position});
  map.armed = !map.gone && phx_ipc_post(map.connection, question.id(), question.parts(),
                                        Question::kParts, map.timeout_ms) == PHX_OK;
  map.gone = !map.armed;
}

void note_wake(Map& map, phx_ipc_handle connection, phx_status got) noexcept {
  if (got == PHX_OK) {
    map.armed = false;
    (void)phx_ipc_put(connection);
  } else if (got != PHX_TRY_AGAIN && got != PHX_TIMED_OUT) {
    map.gone = true;
  }
}

void take_wakes(Map& map) noexcept {
  phx_status got = PHX_OK;
  while (!map.gone && got == PHX_OK) {
    phx_ipc_event event;
    got = phx_ipc_get(map.connection, &event, 0);
    note_wake(map, map.connection, got);
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

}  // namespace phalanx::client::map
