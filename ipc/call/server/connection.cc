#include <sys/socket.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "ipc/call/fork.h"
#include "ipc/call/server/server.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/mirror_map.h"

namespace phalanx::call {
namespace {

constexpr std::size_t kAlignment = alignof(Connection);

std::uint64_t least(std::uint64_t a, std::uint64_t b) noexcept { return a < b ? a : b; }

Sizes allowed(const phx_ipc_server_options& quota, const ConnectRequest& wanted) noexcept {
  return {.request_bytes = least(wanted.request_bytes, quota.ring_bytes_max),
          .response_bytes = least(wanted.response_bytes, quota.ring_bytes_max),
          .dispatch_bytes = least(wanted.dispatch_bytes, quota.ring_bytes_max),
          .buffer_bytes = least(wanted.buffer_bytes, quota.buffer_bytes_max),
          .message_bytes_max = least(wanted.message_bytes_max, quota.message_bytes_max),
          .outstanding_max = wanted.outstanding_max};
}

/// A hook's malloc() knows no alignment beyond the usual: what is needed is kept before the object.
Connection* new_connection(const phx_ipc_server& server) noexcept {
  void* raw = allocate(server, sizeof(Connection) + kAlignment + sizeof(void*));
  if (raw == nullptr) return nullptr;
  const auto start = reinterpret_cast<std::uintptr_t>(raw) + sizeof(void*);
  const std::uintptr_t at = (start + kAlignment - 1) / kAlignment * kAlignment;
  std::memcpy(reinterpret_cast<void*>(at - sizeof(void*)), &raw, sizeof raw);
  return new (reinterpret_cast<void*>(at)) Connection;
}

void delete_connection(const phx_ipc_server& server, Connection* connection) noexcept {
  void* raw = nullptr;
  std::memcpy(&raw, reinterpret_cast<std::byte*>(connection) - sizeof(void*), sizeof raw);
  if (connection->private_data != nullptr) release(server, connection->private_data);
  if (connection->socket >= 0) close(connection->socket);
  if (connection->wake >= 0) close(connection->wake);
  connection->~Connection();
  release(server, raw);
}

/// The memory that both map. False: no memory or address space.
bool make_memory(Connection& c, const Geometry& g, int& memory_fd) noexcept {
  memory_fd = shm::make_sealed_memory("phalanx-call", memory_bytes(g), allocated_bytes(g));
  if (memory_fd < 0 || !c.memory.map(memory_fd, g)) return false;
  Page* page = new (c.memory.page()) Page{};
  page->magic = kMagic;
  page->version = kVersion;
  page->struct_bytes = sizeof(Page);
  page->geometry = g;
  page->state = static_cast<std::uint32_t>(State::Open);
  page->server_sleeps = 1;
  c.requests = c.memory.consumer(Mapping::kRequest);
  c.responses = c.memory.producer(Mapping::kResponse);
  c.events = c.memory.producer(Mapping::kDispatch);
  return true;
}

}  // namespace

void* allocate(const phx_ipc_server& server, std::size_t bytes) noexcept {
  return server.hooks.malloc != nullptr ? server.hooks.malloc(bytes) : std::malloc(bytes);
}

void release(const phx_ipc_server& server, void* memory) noexcept {
  if (server.hooks.free != nullptr) {
    server.hooks.free(memory);
  } else {
    std::free(memory);
  }
}

void say(const phx_ipc_server& server, int level, const char* format, ...) noexcept {
  if (server.hooks.log == nullptr) return;
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  server.hooks.log(server.options.context, level, text);
}

void fail_for_good(const phx_ipc_server& server, const char* text) noexcept {
  say(server, 3, "%s", text);
  if (server.hooks.fatal_error == nullptr) std::abort();
  server.hooks.fatal_error(server.options.context, text);
}

Place* place_of(phx_ipc_server& server, phx_ipc_connection value) noexcept {
  const std::uint64_t number = value & 0xffffffff;
  return number >= 1 && number <= server.place_count ? &server.places[number - 1] : nullptr;
}

Locked::Locked(phx_ipc_server* server, phx_ipc_connection value) noexcept {
  if (server == nullptr) {
    status_ = PHX_INVALID;
  } else if (server->forks != fork_count()) {
    status_ = PHX_FORKED;
  } else if (Place* place = place_of(*server, value); place != nullptr) {
    as_owner_ = place->lock.lock();
    place_ = place;
    if (place->connection != nullptr && place->generation == value >> 32) status_ = PHX_OK;
  }
}

phx_status make_connection(phx_ipc_server& server, unsigned index, const ConnectRequest& request,
                           Connection*& out, int& memory_fd, int& wake_of_client) noexcept {
  Connection* c = new_connection(server);
  if (c == nullptr) return PHX_NO_MEMORY;
  int pair[2] = {-1, -1};
  const Geometry g = geometry_for(allowed(server.options, request));
  if (!make_memory(*c, g, memory_fd) ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    delete_connection(server, c);
    return PHX_NO_MEMORY;
  }
  c->barriers = server.barriers && (request.flags & kBarriers) != 0;
  c->wake = pair[0];
  wake_of_client = pair[1];
  std::memcpy(c->program, request.program, sizeof c->program - 1);
  Place& place = server.places[index];
  c->value = static_cast<phx_ipc_connection>(place.generation) << 32 | (index + 1);
  out = c;
  return PHX_OK;
}

void end_connection(phx_ipc_server& server, Connection& connection) noexcept {
  Connection* const c = &connection;
  Place& place = server.places[index_of(c->value)];
  leave_broadcast(server, connection);
  bool held = false;
  {
    const client::BiasedGuard guard(place.lock);
    c->gone = true;
    std::atomic_ref state(c->memory.page()->state);
    std::uint32_t open = static_cast<std::uint32_t>(State::Open);
    state.compare_exchange_strong(open, static_cast<std::uint32_t>(State::Disconnected));
    c->memory.unmap();
    shutdown(c->socket, SHUT_RDWR);
    shutdown(c->wake, SHUT_RDWR);
    close(c->socket);
    close(c->wake);
    c->socket = c->wake = -1;
    held = c->holds > 0;
    if (c->cut_why == State::Broken) server.broken.fetch_add(1, std::memory_order_relaxed);
    if (c->cut_why == State::Evicted) server.evicted.fetch_add(1, std::memory_order_relaxed);
  }
  if (!held) free_connection(server, c);
}

void free_connection(phx_ipc_server& server, Connection* c) noexcept {
  if (c->service != nullptr && c->service->exit != nullptr)
    c->service->exit(server.options.context, &server, c->value, c->private_data);
  const unsigned index = index_of(c->value);
  {
    const client::BiasedGuard guard(server.places[index].lock);
    server.places[index].connection = nullptr;
    ++server.places[index].generation;
    server.places[index].lock.renew();
  }
  delete_connection(server, c);
  give_place(server, index);
}

void give_place(phx_ipc_server& server, unsigned index) noexcept {
  const LockGuard guard(server.table);
  server.places[index].taken = false;
}

}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_hold(phx_ipc_server* server, phx_ipc_connection value) {
  const Locked locked(server, value);
  if (locked.status() != PHX_OK) return locked.status();
  Connection& c = locked.connection();
  if (c.gone && c.holds == 0) return PHX_DISCONNECTED;  // It is being freed.
  ++c.holds;
  return PHX_OK;
}

phx_status phx_ipc_release(phx_ipc_server* server, phx_ipc_connection value) {
  Connection* last = nullptr;
  {
    const Locked locked(server, value);
    if (locked.status() != PHX_OK) return locked.status();
    Connection& c = locked.connection();
    if (c.holds == 0) return PHX_NOT_PINNED;
    if (--c.holds == 0 && c.gone) last = &c;
  }
  if (last != nullptr) free_connection(*server, last);
  return PHX_OK;
}

namespace {

std::uint64_t broadcast_queued(const phx_ipc_server& server, const Connection& c) noexcept {
  if (c.broadcast_joined == kNoBroadcast) return 0;
  const auto at = [](const shm::RingIndex& index) {
    return std::atomic_ref(const_cast<std::uint64_t&>(index.position))
        .load(std::memory_order_acquire);
  };
  const std::uint64_t head = at(c.memory.page()->broadcast_head);
  return least(at(server.broadcast.page->tail) - head, server.broadcast.bytes);
}

}  // namespace

phx_status phx_ipc_client(phx_ipc_server* server, phx_ipc_connection value,
                          phx_ipc_client_info* info) {
  if (info == nullptr) return PHX_INVALID;
  const Locked locked(server, value);
  if (locked.status() != PHX_OK) return locked.status();
  Connection& c = locked.connection();
  if (c.gone) return PHX_DISCONNECTED;
  const Geometry& g = c.memory.geometry();
  shm::RingIndices& ring = c.memory.page()->request;
  const std::uint64_t head = std::atomic_ref(ring.head.position).load(std::memory_order_acquire);
  const std::uint64_t tail = std::atomic_ref(ring.tail.position).load(std::memory_order_acquire);
  c.events.refresh();
  *info = {.service = c.service != nullptr ? c.service->service : 0,
           .pid = c.pid,
           .uid = c.uid,
           .gid = c.gid,
           .program = {},
           .request_ring_bytes = g.request_bytes,
           .request_queued_bytes = least(tail - head, g.request_bytes),
           .dispatch_ring_bytes = g.dispatch_bytes,
           .dispatch_queued_bytes = c.events.used_bytes(),
           .broadcast_queued_bytes = broadcast_queued(*server, c),
           .outstanding = c.open_calls,
           .handled = c.handled.load(std::memory_order_relaxed)};
  std::memcpy(info->program, c.program, sizeof info->program);
  return PHX_OK;
}

phx_status phx_ipc_server_counts(phx_ipc_server* server, phx_ipc_server_info* info) {
  if (server == nullptr || info == nullptr) return PHX_INVALID;
  if (server->forks != fork_count()) return PHX_FORKED;
  *info = {.clients = 0,
           .refused = server->refused.load(std::memory_order_relaxed),
           .broken = server->broken.load(std::memory_order_relaxed),
           .evicted = server->evicted.load(std::memory_order_relaxed)};
  const LockGuard guard(server->table);
  for (unsigned i = 0; i < server->places_used; ++i) {
    if (server->places[i].taken) ++info->clients;
  }
  return PHX_OK;
}
