#pragma once

#include "ipc/client/handle.h"

namespace phalanx::client {

/// Attaching and coming back. Cold code of the dispatching thread; each function takes the send
/// lock itself where it changes what senders read. None blocks.

/// What a step towards being attached came to.
enum class Step : std::uint8_t {
  Attached,
  Pending,
  TryLater,
  NotRunning,
  Access,
  Full,
  Version,
  NoMemory
};

/// Connects and sends the request. Pending: ask poll_reply() when the socket is readable.
[[nodiscard]] Step start_asking(Handle& handle) noexcept;
/// Takes the reply, if it has come, and maps the channels.
[[nodiscard]] Step poll_reply(Handle& handle) noexcept;
[[nodiscard]] phx_status status_of(Step step) noexcept;

/// Closes the socket and unmaps the channels, but for room that a thread builds messages in: its
/// commit is told `why`. Under both locks.
void drop_link(Handle& handle, phx_status why = PHX_DISCONNECTED) noexcept;

/// Re-attaching, one step of it. True: attached just now.
[[nodiscard]] bool step_link(Slot& slot, Handle& handle, TimeNs now) noexcept;

/// The data plane is gone: forget what it knew of us. The caller tells the application.
void lose_link(Slot& slot, Handle& handle) noexcept;
/// Evicted, and all that was queued is dispatched.
void leave_evicted(Slot& slot, Handle& handle) noexcept;

/// Writes what is owed to a new channel: a Join or Open for each group. Under the send lock.
void send_groups(Handle& handle) noexcept;
/// Writes a Join, Open, Leave or Close. False: no room. Under the send lock.
[[nodiscard]] bool submit_group(Handle& handle, const Group& group,
                                shm::SubmissionKind kind) noexcept;

/// Whether the socket is still connected; takes wake bytes off it.
[[nodiscard]] bool drain_socket(Handle& handle) noexcept;

}  // namespace phalanx::client
