#pragma once

#include <cstring>

#include "ipc/call/client/handle.h"
#include "ipc/call/parts.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {

/// Writing requests. All of it under the slot's send lock.

/// Puts one request into the ring. False: there is no room now.
[[nodiscard]] inline bool write_request(Handle& handle, RequestKind kind, const RequestBody& body,
                                        const iovec* parts, std::size_t count,
                                        std::uint64_t bytes) noexcept {
  std::byte* room = handle.requests.append(static_cast<std::uint32_t>(sizeof body + bytes),
                                           static_cast<std::uint8_t>(kind), 0);
  if (room == nullptr) return false;
  std::memcpy(room, &body, sizeof body);
  gather(room + sizeof body, parts, count);
  return true;
}

/// Shows what was written, and wakes the server if it sleeps. While some thread builds messages in
/// the ring, what comes behind them waits for its commit.
inline void publish_requests(Handle& handle) noexcept {
  if (handle.reserver != 0) [[unlikely]]
    return;
  handle.requests.publish(shm::publish_order(handle.barriers));
  shm::before_flag(handle.barriers);
  std::atomic_ref sleeps(handle.memory.page()->server_sleeps);
  if (sleeps.load(std::memory_order_seq_cst) == 0) [[likely]]
    return;
  // Who takes the flag rings: one system call a sleep, however many messages come meanwhile.
  if (sleeps.exchange(0, std::memory_order_acq_rel) != 0) send_wake(handle.socket);
}

}  // namespace phalanx::call
