#include "phalanx/guard.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "ipc/shm/guard_protocol.h"
#include "phalanx/ipc_client.h"

using phalanx::shm::GuardAnswer;
using phalanx::shm::GuardCall;

static_assert(PHX_GUARD_TEXT_BYTES_MAX == phalanx::shm::kGuardTextBytesMax);

struct phx_guard {
  phx_ipc_handle connection = 0;
  int fd = -1;  ///< The connection's, which closes it.
};

namespace {

/// Of connecting, and of a call: together what phx_guard_open() may take.
constexpr int kPatienceMs = 1000;

iovec text_part(const char* text) noexcept {
  const std::size_t bytes = text == nullptr ? 0 : strnlen(text, phalanx::shm::kGuardTextBytesMax);
  return {.iov_base = const_cast<char*>(text), .iov_len = bytes};
}

phx_status call(phx_ipc_handle connection, GuardCall call, const iovec* parts,
                std::size_t count) noexcept {
  return phx_ipc_callv(connection, static_cast<std::uint32_t>(call), parts, count, nullptr, 0,
                       nullptr, kPatienceMs);
}

/// What connecting and entering say, in the words of phx_guard_open().
phx_status status_of_opening(phx_status status) noexcept {
  switch (static_cast<int>(status)) {
    case PHX_OK:
    case PHX_ACCESS:
    case PHX_LIMIT:
    case PHX_NO_MEMORY:
    case PHX_VERSION:
      return status;
    case PHX_BAD_NAME:
      return PHX_INVALID;
    case PHX_NOT_SUPPORTED:
      return PHX_VERSION;  // Another version is another service.
    default:
      return PHX_NOT_RUNNING;
  }
}

phx_status connect_to(const char* instance, phx_ipc_handle& connection) noexcept {
  const phx_ipc_options options{
      .struct_bytes = sizeof options,
      .request_ring_bytes = phalanx::shm::kGuardRingBytes,
      .response_ring_bytes = phalanx::shm::kGuardRingBytes,
      .dispatch_ring_bytes = phalanx::shm::kGuardRingBytes,
      .message_bytes_max = phalanx::shm::kGuardMessageBytesMax,
      .connect_timeout_ms = kPatienceMs,
      .wait = PHX_IPC_SLEEP,
      .instance = instance != nullptr && *instance != '\0' ? instance : "default"};
  return phx_ipc_connect("guard", phalanx::shm::kGuardService, &options, &connection);
}

}  // namespace

phx_status phx_guard_open(const char* instance, const char* name, phx_guard** guard) {
  if (guard == nullptr || name == nullptr || *name == '\0') return PHX_INVALID;
  void* memory = std::malloc(sizeof(phx_guard));
  if (memory == nullptr) return PHX_NO_MEMORY;
  auto* made = new (memory) phx_guard;
  phx_status status = connect_to(instance, made->connection);
  const iovec part = text_part(name);
  if (status == PHX_OK) status = call(made->connection, GuardCall::Enter, &part, 1);
  if (status == PHX_OK) status = phx_ipc_fd(made->connection, &made->fd);
  if (status == PHX_OK) {
    *guard = made;
  } else {
    phx_guard_close(made);
  }
  return status_of_opening(status);
}

int phx_guard_fd(const phx_guard* guard) { return guard == nullptr ? -1 : guard->fd; }

phx_status phx_guard_next(phx_guard* guard, uint32_t* question) {
  if (guard == nullptr || question == nullptr) return PHX_INVALID;
  phx_ipc_event event{};
  const phx_status status = phx_ipc_get(guard->connection, &event, 0);
  if (status == PHX_TRY_AGAIN) return status;
  if (status != PHX_OK) return PHX_DISCONNECTED;
  const bool asks = event.id == phalanx::shm::kGuardAskEvent && event.bytes == sizeof *question;
  if (asks) std::memcpy(question, event.data, sizeof *question);
  (void)phx_ipc_put(guard->connection);
  return asks ? PHX_OK : PHX_DISCONNECTED;
}

phx_status phx_guard_answer(phx_guard* guard, uint32_t question, int agree, const char* reason) {
  if (guard == nullptr) return PHX_INVALID;
  GuardAnswer head{.question = question, .agrees = agree != 0 ? 1u : 0u};
  const iovec parts[] = {{&head, sizeof head}, text_part(reason)};
  const phx_status status = call(guard->connection, GuardCall::Answer, parts, 2);
  if (status == PHX_TIMED_OUT) return PHX_TRY_AGAIN;
  return status == PHX_OK || status == PHX_TRY_AGAIN ? status : PHX_DISCONNECTED;
}

void phx_guard_close(phx_guard* guard) {
  if (guard == nullptr) return;
  if (guard->connection != 0) (void)phx_ipc_disconnect(guard->connection);
  std::free(guard);
}
