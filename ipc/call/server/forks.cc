#include <pthread.h>
#include <unistd.h>

#include "ipc/call/server/server.h"

namespace phalanx::call {
namespace {

phx_ipc_server* servers = nullptr;
Lock servers_lock;
bool watched = false;

void give_up(int& fd) noexcept {
  if (fd >= 0) close(fd);
  fd = -1;
}

void give_up(Place& place) noexcept {
  place.lock.reset();
  give_up(place.socket);
  if (place.connection == nullptr) return;
  // Never shut down: that would be the parent's end as well.
  give_up(place.connection->socket);
  give_up(place.connection->wake);
}

/// The memory of all that stays: nothing here may call free().
void after_fork_in_child() {
  servers_lock.reset();
  for (phx_ipc_server* server = servers; server != nullptr; server = server->next) {
    for (int* fd :
         {&server->listener, &server->lock_file, &server->reserve, &server->kick, &server->epoll}) {
      give_up(*fd);
    }
    give_up(server->broadcast.memory);
    server->broadcast.lock.reset();
    for (unsigned i = 0; i < server->places_used; ++i) give_up(server->places[i]);
  }
  servers = nullptr;
}

}  // namespace

bool list_server(phx_ipc_server& server) noexcept {
  const LockGuard guard(servers_lock);
  if (!watched && pthread_atfork(nullptr, nullptr, after_fork_in_child) != 0) return false;
  watched = true;
  server.next = servers;
  servers = &server;
  return true;
}

void unlist_server(phx_ipc_server& server) noexcept {
  const LockGuard guard(servers_lock);
  for (phx_ipc_server** at = &servers; *at != nullptr; at = &(*at)->next) {
    if (*at != &server) continue;
    *at = server.next;
    return;
  }
}

}  // namespace phalanx::call
