#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/call/layout.h"
#include "ipc/client/biased_lock.h"

struct phx_ipc_server;

namespace phalanx::call {

struct Connection;

/// The log of events that every client which asked for it maps read-only: written once, however
/// many read. A reader says in its own page how far it has read; the writer looks at all of those
/// only when it reaches the end of the slowest that it knows.
///
/// Guarded by `lock`, which is taken before a place's lock, never after.
struct Broadcast {
  client::BiasedLock lock;
  int memory = -1;
  BroadcastPage* page = nullptr;  ///< nullptr: this server has none.
  std::byte* data = nullptr;
  std::uint64_t bytes = 0;
  std::uint64_t tail = 0;
  std::uint64_t published = 0;
  std::uint64_t limit = 0;  ///< Up to here no reader is overrun.
  Connection** readers = nullptr;
  unsigned reader_count = 0;
  unsigned without_barriers = 0;  ///< Readers that need a fence with every publish.
  bool closed = false;
};

/// False: no memory. Nothing to do for 0 bytes.
[[nodiscard]] bool make_broadcast(phx_ipc_server& server, std::uint64_t bytes) noexcept;
void free_broadcast(phx_ipc_server& server) noexcept;
/// No more is sent.
void close_broadcast(phx_ipc_server& server) noexcept;
/// From the next event on the connection is a reader.
void join_broadcast(phx_ipc_server& server, Connection& connection) noexcept;
/// Under no lock. Nothing to do for one that is no reader.
void leave_broadcast(phx_ipc_server& server, Connection& connection) noexcept;
/// Whether there was an event since the connection joined.
[[nodiscard]] bool broadcast_since_joining(const phx_ipc_server& server,
                                           const Connection& connection) noexcept;
/// A sender that was throttled for this reader waits for this. True: there is room now.
[[nodiscard]] bool has_broadcast_room(phx_ipc_server& server, Connection& connection) noexcept;

}  // namespace phalanx::call
