#pragma once

#include "ipc/client/handle.h"

namespace phalanx::client {

/// What all ways of sending share. Under the send lock.

/// Why a message to this group cannot go out now, or PHX_OK.
[[nodiscard]] phx_status sendable(const Handle& handle, const Group* group) noexcept;

/// TRY_AGAIN, and the promise of PHX_EVENT_SENDABLE once so many bytes fit.
[[nodiscard]] phx_status owe_room(Handle& handle, shm::ClientChannel& channel,
                                  std::uint32_t body_bytes) noexcept;

}  // namespace phalanx::client
