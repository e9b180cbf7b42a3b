#pragma once

#include "ipc/client/handle.h"

namespace phalanx::client {

/// How a dispatching thread sleeps, and how phx_fd() becomes readable. Under the dispatch lock.

/// Takes back the wish to be woken, if there is one.
void disarm(Handle& handle) noexcept;

/// Waits until there may be something to do. False: `deadline` has passed.
[[nodiscard]] bool wait_for_work(Handle& handle, TimeNs deadline) noexcept;

/// Makes the descriptors of phx_fd(). False: none left.
[[nodiscard]] bool make_descriptors(Handle& handle) noexcept;

/// Leaves phx_fd() as it must be when nobody dispatches: readable if there is something to do, else
/// armed for the next event. `worked`: this dispatch found something.
void settle(Handle& handle, bool worked) noexcept;

}  // namespace phalanx::client
