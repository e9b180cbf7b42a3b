#pragma once

#include "ipc/client/handle.h"

namespace phalanx::client {

/// Runs the callback of one event. False: the event makes no sense, so the data plane is not ours.
/// Under the dispatch lock alone.
[[nodiscard]] bool handle_event(Slot& slot, Handle& handle, const shm::BulkRecord& record) noexcept;

/// Only reads a Message record. A group of 0: of one that this handle does not know any more.
/// False: as above.
[[nodiscard]] bool read_message(Slot& slot, Handle& handle, const shm::BulkRecord& record,
                                phx_message& out) noexcept;

/// Runs the connection callback.
void tell(Handle& handle, phx_event event, phx_status status = PHX_OK,
          phx_group group = 0) noexcept;

}  // namespace phalanx::client
