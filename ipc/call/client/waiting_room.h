#pragma once

#include "ipc/call/client/handle.h"

namespace phalanx::call {

/// What a waiting thread tries: true when its wait is over, and from then on. Called under no lock,
/// or under `leading` alone.
struct Attempt {
  bool (*try_it)(void* what) = nullptr;  ///< nullptr: until the Pending is done.
  void* what = nullptr;
};

/// Waits until the Pending is done, or the attempt succeeded. One of the threads that wait leads:
/// it takes every reply off the ring and sleeps on the wake socket; the others sleep each on its
/// own Pending.
///
/// @retval PHX_OK        Done; of a Pending, its status says what came.
/// @retval PHX_TIMED_OUT The deadline is over. The Pending is as before.
/// Otherwise why the connection is over.
[[nodiscard]] phx_status wait_for(Handle& handle, Pending& pending, const Attempt& attempt,
                                  TimeNs deadline) noexcept;

/// Gives a pinned reply back. False: it is not pinned.
[[nodiscard]] bool release_kept(Handle& handle, std::uint64_t pin) noexcept;

/// Takes what the response ring has: ends the waits of those it is for.
void take_replies(Handle& handle) noexcept;

/// The thread of a pending call gives up. False: it is done after all.
[[nodiscard]] bool abandon(Handle& handle, Pending& pending) noexcept;

/// After the server's words made no sense: it is not believed any more.
void distrust(Handle& handle) noexcept;

/// Tells the server that there is room, if it waits for that.
void tell_of_room(Handle& handle) noexcept;

}  // namespace phalanx::call
