#pragma once

#include <pthread.h>
#include <sys/un.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/base/time_ns.h"
#include "ipc/call/gatherer.h"
#include "ipc/call/mapping.h"
#include "ipc/call/server/broadcast.h"
#include "ipc/client/biased_lock.h"
#include "ipc/client/lock.h"
#include "ipc/include/phalanx/ipc_server.h"

namespace phalanx::call {

using client::Lock;
using client::LockGuard;

inline constexpr unsigned kClientsMost = 4096;

inline constexpr std::uint64_t kNoBroadcast = ~std::uint64_t{0};  ///< No position.

/// A call whose reply is due. Under the place's lock.
struct OpenCall {
  bool open = false;
  bool ever = false;
  std::uint32_t turn = 0;      ///< Ours: how often the slot was used.
  std::uint32_t sequence = 0;  ///< The client's: goes back with the reply.
  std::uint32_t reply_bytes_max = 0;
  std::uint64_t ring_need = 0, bulk_need = 0;  ///< Room that is kept for the reply.
};

/// One client. Its ring ends: `requests` is the serving thread's (the loop's, or its own), the
/// others are under the place's lock.
struct Connection {
  phx_ipc_connection value = 0;
  const phx_ipc_service* service = nullptr;
  void* private_data = nullptr;
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  char program[32] = {};
  int socket = -1;  ///< Its doorbell in, events out, hang-up.
  int wake = -1;    ///< Replies and room out.
  Mapping memory;
  bool barriers = false;    ///< See barrier.h.
  std::uint32_t holds = 0;  ///< phx_ipc_hold(); under the place's lock.

  alignas(64) shm::BulkConsumer requests;
  bool polled_for_more = false;   ///< The loop watches for POLLOUT, to be called again at once.
  bool hung_up = false;           ///< It hung up: what it had sent is served in turns.
  std::uint64_t rest_served = 0;  ///< Of that.
  std::atomic<bool> held_back{false};  ///< sending_allowed() said no to a post.
  /// The next call has to wait until there is room for its reply. Set under the place's lock.
  std::atomic<bool> stalled{false};
  bool broken = false;
  bool called = false;           ///< There was a call among what serve() handled last.
  bool named_unknown = false;    ///< It was told off once for a message that the service has not.
  std::atomic<bool> cut{false};  ///< cut_off(): nothing more of it is served.
  State cut_why = State::Open;   ///< The first reason; under the place's lock.
  std::atomic<std::uint64_t> handled{0};

  alignas(64) shm::BulkProducer responses;
  shm::BulkProducer events;
  std::uint64_t ring_kept = 0, bulk_kept = 0;  ///< Sums over the open calls.
  std::uint32_t open_calls = 0;
  std::atomic<bool> awaits_room{false};              ///< An event found none, and room() is owed.
  std::uint64_t ring_awaited = 0, bulk_awaited = 0;  ///< What the largest such event needs.
  TimeNs blocked_since = 0;                          ///< 0: the client reads.
  std::uint64_t released_then = 0;
  // As a reader of the broadcast log, under its lock.
  bool reads_broadcast = false;
  std::atomic<bool> awaits_broadcast_room{false};
  std::uint64_t broadcast_seen = 0;  ///< It has read so far, as of the last look.
  std::uint64_t broadcast_joined = kNoBroadcast;
  TimeNs broadcast_blocked_since = 0;  ///< 0: it reads.
  std::uint64_t broadcast_seen_then = 0;
  bool sealed = false;  ///< Cut off: no more events.
  bool gone = false;    ///< No more is sent; the memory may be unmapped.
  OpenCall calls[kOutstandingMax];
};

/// The place of a connection. Plain memory for as long as the server lives, so that a stale value
/// finds its lock.
struct Place {
  client::BiasedLock lock;
  std::uint32_t generation = 1;
  Connection* connection = nullptr;
  Connection* served = nullptr;  ///< The same, while the driving thread serves it.
  bool taken = false;            ///< Under Server::table.
  uid_t uid = 0;                 ///< Likewise: counted against clients_per_user_max.
  int socket = -1;               ///< Of one that has not said what it wants; the driving thread's.
  pid_t pid = 0;
  gid_t gid = 0;
  TimeNs since = 0;
};

}  // namespace phalanx::call

/// All but what is atomic belongs to the driving thread, or never changes.
struct phx_ipc_server {
  phx_ipc_server_options options{};
  phx_ipc_hooks hooks{};
  std::uint32_t forks = 0;
  sockaddr_un address{};
  int listener = -1;
  int lock_file = -1;
  int reserve = -1;  ///< A descriptor to give up when there are no others.
  int kick = -1;     ///< An eventfd of our own: stop, resume.
  int epoll = -1;    ///< Without poll hooks.
  phalanx::TimeNs spin_ns = 0;
  bool barriers = false;  ///< This process is registered: see barrier.h.
  phalanx::call::Gatherer gatherer;
  phalanx::call::Lock table;
  phalanx::call::Place* places = nullptr;
  unsigned place_count = 0;
  unsigned places_used = 0;  ///< Places beyond were never taken: what loops over all stops here.
  std::atomic<bool> stopping{false};
  std::atomic<bool> resumed{false};
  std::atomic<bool> room_made{false};  ///< A reply was shorter than what a stalled call waits for.
  std::atomic<std::uint32_t> threads{0};
  bool closed = false;
  std::atomic<std::uint64_t> refused{0}, broken{0}, evicted{0};  ///< phx_ipc_server_info.
  phalanx::call::Broadcast broadcast;
  phx_ipc_server* next = nullptr;  ///< In the list of forks.cc.
};

namespace phalanx::call {

// --- forks.cc: what a child of fork() gives up ---

/// Makes sure that a child closes its copies of this server's descriptors, which would keep clients
/// from seeing its end and the name from being free. False: no memory.
[[nodiscard]] bool list_server(phx_ipc_server& server) noexcept;
void unlist_server(phx_ipc_server& server) noexcept;

// --- connection.cc: the table ---

[[nodiscard]] void* allocate(const phx_ipc_server& server, std::size_t bytes) noexcept;
void release(const phx_ipc_server& server, void* memory) noexcept;
/// The server's line for the log, as printf().
void say(const phx_ipc_server& server, int level, const char* format, ...) noexcept
    __attribute__((format(printf, 3, 4)));

/// The server cannot go on.
void fail_for_good(const phx_ipc_server& server, const char* text) noexcept;

/// The place of a value, or nullptr.
[[nodiscard]] Place* place_of(phx_ipc_server& server, phx_ipc_connection value) noexcept;

/// Finds a connection and holds its lock.
class Locked {
 public:
  Locked(phx_ipc_server* server, phx_ipc_connection value) noexcept;
  ~Locked() {
    if (place_ != nullptr) place_->lock.unlock(as_owner_);
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  /// PHX_OK, PHX_BAD_HANDLE, PHX_FORKED, PHX_INVALID.
  [[nodiscard]] phx_status status() const noexcept { return status_; }
  [[nodiscard]] Connection& connection() const noexcept { return *place_->connection; }

 private:
  Place* place_ = nullptr;
  bool as_owner_ = false;
  phx_status status_ = PHX_BAD_HANDLE;
};

/// Makes a connection in a place that is taken. PHX_OK, PHX_NO_MEMORY.
[[nodiscard]] phx_status make_connection(phx_ipc_server& server, unsigned index,
                                         const ConnectRequest& request, Connection*& out,
                                         int& memory_fd, int& wake_of_client) noexcept;
/// The client is gone, or is to go: nothing is sent from here on. In the serving thread. Frees the
/// connection, unless it is held.
void end_connection(phx_ipc_server& server, Connection& connection) noexcept;
/// The last reference went: exit(), and the place is free.
void free_connection(phx_ipc_server& server, Connection* connection) noexcept;
void give_place(phx_ipc_server& server, unsigned index) noexcept;
[[nodiscard]] inline unsigned index_of(phx_ipc_connection value) noexcept {
  return static_cast<unsigned>(value & 0xffffffff) - 1;
}

// --- accept.cc ---

void accept_clients(phx_ipc_server& server) noexcept;
void read_request(phx_ipc_server& server, unsigned index) noexcept;

// --- serve.cc: the serving thread ---

/// Handles up to `most` messages. Returns how many.
std::size_t serve(phx_ipc_server& server, Connection& connection, std::size_t most) noexcept;
/// Before the serving thread sleeps: ask_for_wake() of each connection; if one said true, a
/// barrier, and look_again() at each, where true means that there is work.
[[nodiscard]] bool ask_for_wake(Connection& connection) noexcept;
[[nodiscard]] bool look_again(Connection& connection) noexcept;
/// The loop's call for a connection: serves, drains the doorbell, serves again what waits for room,
/// arms.
void on_doorbell(phx_ipc_server& server, unsigned index) noexcept;
/// A thread for one connection, which waits for the place's lock first: under that. 0, or why none
/// could be made.
[[nodiscard]] int start_thread(phx_ipc_server& server, Connection& connection) noexcept;

// --- send.cc: under the place's lock ---

/// Cuts the client off; the serving thread ends the connection when it sees the hang-up.
void cut_off(Connection& connection, State why) noexcept;
/// Whether a reply of so many bytes would find room, beside those that are due. Keeps it.
[[nodiscard]] bool keep_room(Connection& connection, OpenCall& call,
                             std::uint32_t reply_bytes_max) noexcept;
/// Asks the client for a byte when it gives room back. One more look is due then.
void ask_for_room(const Connection& connection) noexcept;
/// Takes the client's wish to be woken and, if it stood, wakes it.
void wake_client(const Connection& connection, std::uint32_t wish) noexcept;
[[nodiscard]] phx_status refuse(phx_ipc_server& server, Connection& connection,
                                phx_ipc_request request, phx_status status) noexcept;

/// After serving: nobody waits for what comes of posts, so that many of them may gather. `more`:
/// some are known to wait.
inline void gather(Gatherer& gatherer, std::size_t handled, bool called, bool more,
                   TimeNs longest = Gatherer::kLongest) noexcept {
  if (called) return gatherer.look_at_once();
  gatherer.took(handled);
  if (!more) gatherer.before_look(longest);
}

// --- poll.cc: the driving thread ---

/// False: it cannot be watched.
[[nodiscard]] bool watch(phx_ipc_server& server, int fd, short events, unsigned index) noexcept;
void change(phx_ipc_server& server, int fd, short events, unsigned index) noexcept;
void forget(phx_ipc_server& server, int fd) noexcept;
/// Wakes the driving thread. Any thread.
void kick(const phx_ipc_server& server) noexcept;
/// PHX_OK: the calling thread may drive it. PHX_INVALID, PHX_FORKED, PHX_WRONG_THREAD (in a
/// handler).
[[nodiscard]] phx_status may_drive(const phx_ipc_server* server) noexcept;

/// The server whose handler this thread is in.
[[nodiscard]] const phx_ipc_server*& handling() noexcept;

}  // namespace phalanx::call
