#pragma once

#include "ipc/call/client/handle.h"
#include "ipc/call/client/waiting_room.h"

namespace phalanx::call {

/// What is sent, and where the reply goes.
struct Exchange {
  RequestKind kind = RequestKind::Call;
  std::uint32_t id = 0;
  const iovec* request = nullptr;
  std::size_t request_parts = 0;
  std::uint64_t request_bytes = 0;
  // Of a call.
  const iovec* reply = nullptr;  ///< nullptr with `pinned`.
  std::size_t reply_parts = 0;
  std::uint64_t reply_bytes_max = 0;
  bool pinned = false;
  // The answer.
  std::uint64_t end = 0;  ///< What the server has released of the ring once it handled the request.
  std::size_t reply_bytes = 0;
  const std::byte* data = nullptr;
  std::uint64_t pin = 0;
};

/// Sends a request and waits for its reply. Errors as phx_ipc_call().
[[nodiscard]] phx_status exchange(Slot& slot, Handle& handle, Exchange& what,
                                  int timeout_ms) noexcept;
/// Sends a message without reply. Errors as phx_ipc_post(). With PHX_OK, `end` is what the server
/// has released once it is done with the message.
[[nodiscard]] phx_status post(Slot& slot, Handle& handle, const Exchange& what, int timeout_ms,
                              std::uint64_t* end = nullptr) noexcept;
/// Waits for room in the request ring, until the attempt, which takes the send lock, succeeds.
/// PHX_OK, PHX_TRY_AGAIN, PHX_TIMED_OUT, or why the connection is over.
[[nodiscard]] phx_status wait_for_room(Slot& slot, Handle& handle, const Attempt& attempt,
                                       int timeout_ms) noexcept;

}  // namespace phalanx::call
