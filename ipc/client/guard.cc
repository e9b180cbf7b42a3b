#include "phalanx/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>

#include "ipc/client/path.h"
#include "ipc/shm/guard_protocol.h"

using phalanx::shm::GuardWord;
using phalanx::shm::GuardWordKind;

struct phx_guard {
  int socket = -1;
};

namespace {

constexpr int kWelcomeMs = 2000;

void put_text(GuardWord& word, const char* text) noexcept {
  if (text == nullptr) return;
  std::memcpy(word.text, text, strnlen(text, sizeof word.text - 1));
}

phx_status say(int socket, const GuardWord& word) noexcept {
  const ssize_t sent = send(socket, &word, sizeof word, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return PHX_TRY_AGAIN;
  return sent == sizeof word ? PHX_OK : PHX_DISCONNECTED;
}

phx_status hear(int socket, GuardWord& word) noexcept {
  std::byte packet[sizeof(GuardWord) + 1];
  const ssize_t got = recv(socket, packet, sizeof packet, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return PHX_TRY_AGAIN;
  if (got <= 0) return PHX_DISCONNECTED;
  const auto read =
      phalanx::shm::read_guard_word(std::span(packet).first(static_cast<std::size_t>(got)));
  if (!read) return PHX_DISCONNECTED;
  word = *read;
  return PHX_OK;
}

phx_status status_of_errno(int error) noexcept {
  if (error == EACCES || error == EPERM) return PHX_ACCESS;
  return error == EMFILE || error == ENFILE || error == ENOMEM ? PHX_NO_MEMORY : PHX_NOT_RUNNING;
}

phx_status greet(int socket, const phalanx::client::SocketPath& path, const char* name) noexcept {
  if (connect(socket, reinterpret_cast<const sockaddr*>(&path.address), sizeof path.address) != 0) {
    return status_of_errno(errno);
  }
  if (path.check_owner && !phalanx::client::owner_is_trusted(socket)) return PHX_ACCESS;
  GuardWord word;
  put_text(word, name);
  if (say(socket, word) != PHX_OK) return PHX_NOT_RUNNING;
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {  // A signal is no answer; it comes seldom enough to begin the waiting anew.
    ready = poll(&waiting, 1, kWelcomeMs);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return PHX_NOT_RUNNING;
  if (hear(socket, word) != PHX_OK || word.kind != GuardWordKind::Welcome) return PHX_ACCESS;
  return word.value == 1 ? PHX_OK : PHX_LIMIT;
}

}  // namespace

phx_status phx_guard_open(const char* instance, const char* name, phx_guard** guard) {
  if (guard == nullptr || name == nullptr || *name == '\0') return PHX_INVALID;
  phalanx::client::SocketPath path;
  if (!phalanx::client::find_socket(instance, nullptr, "guard.sock", path)) return PHX_INVALID;
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return PHX_NO_MEMORY;
  phx_status status = greet(fd, path, name);
  void* memory = status == PHX_OK ? std::malloc(sizeof(phx_guard)) : nullptr;
  if (status == PHX_OK && memory == nullptr) status = PHX_NO_MEMORY;
  if (status != PHX_OK) {
    close(fd);
    return status;
  }
  *guard = new (memory) phx_guard{fd};
  return PHX_OK;
}

int phx_guard_fd(const phx_guard* guard) { return guard == nullptr ? -1 : guard->socket; }

phx_status phx_guard_next(phx_guard* guard, uint32_t* question) {
  if (guard == nullptr || question == nullptr) return PHX_INVALID;
  GuardWord word;
  const phx_status status = hear(guard->socket, word);
  if (status != PHX_OK) return status;
  if (word.kind != GuardWordKind::Ask) return PHX_DISCONNECTED;
  *question = word.number;
  return PHX_OK;
}

phx_status phx_guard_answer(phx_guard* guard, uint32_t question, int agree, const char* reason) {
  if (guard == nullptr) return PHX_INVALID;
  GuardWord word{.kind = GuardWordKind::Answer, .number = question, .value = agree != 0 ? 1u : 0u};
  put_text(word, reason);
  return say(guard->socket, word);
}

void phx_guard_close(phx_guard* guard) {
  if (guard == nullptr) return;
  close(guard->socket);
  std::free(guard);
}
