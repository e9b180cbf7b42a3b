#include "ipc/call/server/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "ipc/call/fork.h"
#include "ipc/call/name.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {
namespace {

constexpr int kBacklog = 64;

bool is_pair(bool a, bool b) noexcept { return a == b; }

bool is_open_or_none(int fd) noexcept { return fd == 0 || fcntl(fd, F_GETFD) >= 0; }

bool is_listener_or_none(int fd) noexcept {
  if (fd == 0) return true;
  int listens = 0;
  socklen_t bytes = sizeof listens;
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0 &&
         getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) == 0 && listens != 0;
}

bool makes_sense(const phx_ipc_server_options& o) noexcept {
  const phx_ipc_hooks& h = o.hooks;
  const bool add = h.poll_add != nullptr;
  return o.struct_bytes == sizeof o && o.services != nullptr && o.service_count > 0 &&
         is_pair(h.malloc != nullptr, h.free != nullptr) &&
         is_pair(h.serialize_lock != nullptr, h.serialize_unlock != nullptr) &&
         add == (h.poll_modify != nullptr) && add == (h.poll_destroy != nullptr) &&
         o.clients_reserved <= kClientsMost && is_listener_or_none(o.listener) &&
         is_open_or_none(o.attachment) && static_cast<unsigned>(o.policy) <= PHX_IPC_THROTTLE &&
         static_cast<unsigned>(o.threading) <= PHX_IPC_THREADS && o.clients_max <= kClientsMost;
}

void fill_defaults(phx_ipc_server_options& o) noexcept {
  const auto usual = [](auto& value, auto otherwise) {
    if (value == 0) value = otherwise;
  };
  usual(o.throttle_max_ms, 1000);
  usual(o.spin_us, 30);
  usual(o.socket_mode, 0666u);
  usual(o.clients_max, 64u);
  usual(o.clients_per_user_max, o.clients_max);
  usual(o.ring_bytes_max, std::size_t{1} << 20);
  usual(o.message_bytes_max, std::size_t{1} << 20);
  usual(o.buffer_bytes_max, std::size_t{16} << 20);
  usual(o.turn_messages_max, 256u);
}

/// One server a name: who holds the lock of the file beside the socket. PHX_OK, PHX_EXISTS,
/// PHX_ACCESS.
phx_status lock_name(phx_ipc_server& server) noexcept {
  char path[sizeof server.address.sun_path + 8];
  std::snprintf(path, sizeof path, "%s.lock", server.address.sun_path);
  server.lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (server.lock_file < 0) return PHX_ACCESS;
  return flock(server.lock_file, LOCK_EX | LOCK_NB) == 0 ? PHX_OK : PHX_EXISTS;
}

phx_status listen_there(phx_ipc_server& server) noexcept {
  server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (server.listener < 0) return PHX_NO_MEMORY;
  // The lock is ours: a socket that is left there is of a server that died.
  struct stat left {};
  if (lstat(server.address.sun_path, &left) == 0) {
    if (!S_ISSOCK(left.st_mode)) return PHX_EXISTS;
    unlink(server.address.sun_path);
  }
  if (bind(server.listener, reinterpret_cast<const sockaddr*>(&server.address),
           sizeof server.address) != 0) {
    return errno == EADDRINUSE ? PHX_EXISTS : PHX_ACCESS;
  }
  if (chmod(server.address.sun_path, server.options.socket_mode) != 0 ||
      listen(server.listener, kBacklog) != 0) {
    return PHX_ACCESS;
  }
  return PHX_OK;
}

/// What a server that was given its listener has not made stays.
void remove_socket(const phx_ipc_server& server) noexcept {
  if (server.options.listener == 0) unlink(server.address.sun_path);
}

phx_status watch_all(phx_ipc_server& server) noexcept {
  server.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  server.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (server.hooks.poll_add == nullptr) server.epoll = epoll_create1(EPOLL_CLOEXEC);
  const bool made = server.kick >= 0 && (server.epoll >= 0 || server.hooks.poll_add != nullptr);
  if (!made || !watch(server, server.listener, POLLIN, 0)) return PHX_NO_MEMORY;
  if (watch(server, server.kick, POLLIN, 0)) return PHX_OK;
  forget(server, server.listener);
  return PHX_NO_MEMORY;
}

/// Everything but the connections.
void free_server(phx_ipc_server* server) noexcept {
  unlist_server(*server);
  for (const int fd :
       {server->listener, server->lock_file, server->kick, server->epoll, server->reserve}) {
    if (fd >= 0) close(fd);
  }
  const phx_ipc_hooks hooks = server->hooks;
  free_broadcast(*server);
  release(*server, server->places);
  server->~phx_ipc_server();
  if (hooks.free != nullptr) {
    hooks.free(server);
  } else {
    std::free(server);
  }
}

phx_ipc_server* make_server(const phx_ipc_server_options& options) noexcept {
  const bool own = options.hooks.malloc == nullptr;
  const std::size_t bytes = sizeof(phx_ipc_server);
  void* memory = own ? std::malloc(bytes) : options.hooks.malloc(bytes);
  if (memory == nullptr) return nullptr;
  auto* server = new (memory) phx_ipc_server;
  server->options = options;
  fill_defaults(server->options);
  server->hooks = options.hooks;
  server->forks = fork_count();
  const int spin_us = server->options.spin_us;
  // Who sleeps at once, as a loop of somebody else's does, would pay for a barrier with every
  // message.
  server->barriers =
      spin_us > 0 && options.hooks.poll_add == nullptr && shm::register_for_barriers();
  server->spin_ns = spin_us < 0 ? 0 : static_cast<TimeNs>(spin_us) * kMicrosecond;
  const unsigned count = server->options.clients_max;
  auto* places = static_cast<Place*>(allocate(*server, count * sizeof(Place)));
  if (places == nullptr) {
    free_server(server);
    return nullptr;
  }
  for (unsigned i = 0; i < count; ++i) new (&places[i]) Place;
  server->places = places;
  server->place_count = count;
  if (make_broadcast(*server, server->options.broadcast_bytes) && list_server(*server))
    return server;
  free_server(server);
  return nullptr;
}

/// Stops listening, and lets all go that are not held.
void close_server(phx_ipc_server& server) noexcept {
  server.closed = true;
  close_broadcast(server);
  forget(server, server.listener);
  forget(server, server.kick);
  remove_socket(server);
  close(server.listener);
  server.listener = -1;
  for (unsigned i = 0; i < server.places_used; ++i) {
    Place& place = server.places[i];
    if (place.socket >= 0) {
      forget(server, place.socket);
      close(place.socket);
      place.socket = -1;
      give_place(server, i);
    } else if (place.served != nullptr) {
      Connection& c = *place.served;
      forget(server, c.socket);
      place.served = nullptr;
      end_connection(server, c);
    } else {
      const client::BiasedGuard guard(place.lock);
      if (place.connection != nullptr) cut_off(*place.connection, State::Disconnected);
    }
  }
  // Their threads see the hang-up, and end.
  while (server.threads.load(std::memory_order_acquire) > 0) (void)poll(nullptr, 0, 1);
}

}  // namespace
}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_server_create(const char* name, const phx_ipc_server_options* options,
                                 phx_ipc_server** out) {
  if (options == nullptr || out == nullptr || !makes_sense(*options) ||
      (name == nullptr) != (options->listener != 0)) {
    return PHX_INVALID;
  }
  if (!watch_forks()) return PHX_NO_MEMORY;
  phx_ipc_server* server = make_server(*options);
  if (server == nullptr) return PHX_NO_MEMORY;
  phx_status status = PHX_OK;
  if (options->listener != 0) {
    server->listener = options->listener;
  } else {
    status = place_server(name, options->runtime_directory, server->address);
    if (status == PHX_OK) status = lock_name(*server);
    if (status == PHX_OK) status = listen_there(*server);
  }
  if (status == PHX_OK) {
    status = watch_all(*server);
    if (status != PHX_OK) remove_socket(*server);
  }
  if (status == PHX_OK) {
    *out = server;
  } else {
    if (options->listener != 0) server->listener = -1;  // It stays the caller's.
    free_server(server);
  }
  return status;
}

phx_status phx_ipc_server_destroy(phx_ipc_server* server) {
  const phx_status status = may_drive(server);
  if (status != PHX_OK) return status;
  if (!server->closed) close_server(*server);
  {
    const LockGuard guard(server->table);
    for (unsigned i = 0; i < server->places_used; ++i) {
      if (server->places[i].taken) return PHX_IN_USE;
    }
  }
  free_server(server);
  return PHX_OK;
}
