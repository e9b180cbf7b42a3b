#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ipc/call/server/server.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::call {
namespace {

constexpr int kAcceptsATurn = 16;
/// One that connects and says nothing keeps its place no longer than this once others want one.
constexpr TimeNs kSilenceMax = kSecond;

void answer(int socket, phx_status status) noexcept {
  ConnectReply reply;
  reply.status = status;
  (void)shm::send_with_descriptors(socket, &reply, sizeof reply, nullptr, 0);
}

/// Says why not, and closes. What was sent is taken first: closing a socket with unread bytes would
/// reset it under the reply.
void refuse_client(phx_ipc_server& server, int socket, phx_status status) noexcept {
  server.refused.fetch_add(1, std::memory_order_relaxed);
  char unread[256];
  for (int i = 0; i < 4 && recv(socket, unread, sizeof unread, MSG_DONTWAIT) > 0; ++i) continue;
  answer(socket, status);
  close(socket);
}

bool may_connect(const phx_ipc_server& server, int socket, const ucred& peer) noexcept {
  if (server.hooks.peer_valid != nullptr)
    return server.hooks.peer_valid(server.options.context, socket) != 0;
  if (server.hooks.security_valid != nullptr)
    return server.hooks.security_valid(server.options.context, peer.uid, peer.gid) != 0;
  return peer.uid == 0 || peer.uid == geteuid();
}

/// Frees the place of the one that has been silent for longest. False: nobody has for long.
bool drop_silent(phx_ipc_server& server) noexcept {
  Place* oldest = nullptr;
  for (unsigned i = 0; i < server.places_used; ++i) {
    Place& place = server.places[i];
    if (place.socket >= 0 && (oldest == nullptr || place.since < oldest->since)) oldest = &place;
  }
  if (oldest == nullptr || monotonic_now() - oldest->since < kSilenceMax) return false;
  forget(server, oldest->socket);
  close(oldest->socket);
  oldest->socket = -1;
  give_place(server, static_cast<unsigned>(oldest - server.places));
  return true;
}

/// Whom the reserved places are for.
bool is_privileged(uid_t uid) noexcept { return uid == 0 || uid == geteuid(); }

/// Takes a place for a client of that user. -1: the user or the server has enough.
int take_place(phx_ipc_server& server, uid_t uid) noexcept {
  const phx_ipc_server_options& options = server.options;
  const LockGuard guard(server.table);
  unsigned of_user = 0;
  unsigned of_others = 0;
  int free = -1;
  for (unsigned i = 0; i < server.place_count; ++i) {
    const Place& place = server.places[i];
    if (place.taken) {
      if (place.uid == uid) ++of_user;
      if (!is_privileged(place.uid)) ++of_others;
    } else if (free < 0) {
      free = static_cast<int>(i);
    }
  }
  if (free < 0) return -1;
  if (options.clients_reserved == 0 || !is_privileged(uid)) {
    if (of_user >= options.clients_per_user_max ||
        (options.clients_reserved > 0 &&
         of_others + options.clients_reserved >= options.clients_max))
      return -1;
  }
  Place& place = server.places[free];
  place.taken = true;
  place.uid = uid;
  if (static_cast<unsigned>(free) >= server.places_used)
    server.places_used = static_cast<unsigned>(free) + 1;
  return free;
}

void admit(phx_ipc_server& server, int socket) noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0 ||
      !may_connect(server, socket, peer)) {
    say(server, 4, "refused a connection of user %u: not allowed", peer.uid);
    refuse_client(server, socket, PHX_ACCESS);
    return;
  }
  int index = take_place(server, peer.uid);
  if (index < 0 && drop_silent(server)) index = take_place(server, peer.uid);
  if (index < 0) {
    say(server, 4, "refused process %d of user %u: %u clients allowed, %u a user", peer.pid,
        peer.uid, server.options.clients_max, server.options.clients_per_user_max);
    refuse_client(server, socket, PHX_LIMIT);
    return;
  }
  const auto place_index = static_cast<unsigned>(index);
  Place& place = server.places[place_index];
  place.pid = peer.pid;
  place.gid = peer.gid;
  place.since = monotonic_now();
  place.socket = socket;
  if (watch(server, socket, POLLIN, place_index)) {
    read_request(server, place_index);  // It came in one piece with connecting, most of the time.
    return;
  }
  place.socket = -1;
  refuse_client(server, socket, PHX_NO_MEMORY);
  give_place(server, place_index);
}

const phx_ipc_service* service_of(const phx_ipc_server& server, std::uint32_t number) noexcept {
  for (std::size_t i = 0; i < server.options.service_count; ++i) {
    if (server.options.services[i].service == number) return &server.options.services[i];
  }
  return nullptr;
}

/// The service's own word, and its memory. The connection is in its place before either fails.
phx_status begin(phx_ipc_server& server, unsigned index, Connection& c,
                 const phx_ipc_service& service) noexcept {
  {
    const client::BiasedGuard guard(server.places[index].lock);
    server.places[index].connection = &c;
  }
  if (service.private_bytes > 0) {
    c.private_data = allocate(server, service.private_bytes);
    if (c.private_data == nullptr) return PHX_NO_MEMORY;
    std::memset(c.private_data, 0, service.private_bytes);
  }
  if (service.init == nullptr) return PHX_OK;
  return service.init(server.options.context, &server, c.value, c.private_data);
}

/// Has the first event make the client's descriptor readable. Not before the reply is on its way:
/// the byte of an event that init() or another thread sent would come in front of it. Under the
/// place's lock.
void wish_for_events(const phx_ipc_server& server, Connection& c) noexcept {
  std::atomic_ref(c.memory.page()->client_waits)
      .fetch_or(kWaitsForEvent, std::memory_order_seq_cst);
  if (c.broadcast_joined != kNoBroadcast) shm::barrier_everywhere(c.barriers);
  if (c.events.committed_in_ring() != 0 || broadcast_since_joining(server, c))
    wake_client(c, kWaitsForEvent);
}

/// Gives the connection what serves it, then tells the client. With PHX_OK and a thread of its own
/// the connection is that thread's, and may be gone.
phx_status welcome(phx_ipc_server& server, unsigned index, Connection& c,
                   const int (&made)[kConnectDescriptors]) noexcept {
  const bool of_thread = server.options.threading == PHX_IPC_THREADS;
  ConnectReply reply;
  reply.geometry = c.memory.geometry();
  const bool broadcast = c.broadcast_joined != kNoBroadcast;
  reply.flags = (c.barriers ? kBarriers : 0u) | (broadcast ? kBroadcast : 0u);
  int fds[kConnectDescriptorsMost] = {made[0], made[1]};
  std::size_t count = kConnectDescriptors;
  if (broadcast) fds[count++] = server.broadcast.memory;
  if (server.options.attachment > 0) {
    reply.flags |= kAttachment;
    fds[count++] = server.options.attachment;
  }
  int error = 0;
  {
    // The thread takes this lock before anything else: nothing comes ahead of the reply.
    const client::BiasedGuard guard(server.places[index].lock);
    if (of_thread) error = start_thread(server, c);
    if (error == 0) {
      if (shm::send_with_descriptors(c.socket, &reply, sizeof reply, fds, count)) {
        wish_for_events(server, c);
        return PHX_OK;
      }
      if (!of_thread) return PHX_DISCONNECTED;
      cut_off(c, State::Disconnected);  // Its thread sees that, and ends it.
      return PHX_OK;
    }
  }
  say(server, 3, "cannot make a thread for a client: %s; raise the limit of threads or memory",
      std::strerror(error));
  return PHX_NO_MEMORY;
}

/// From a request to a connection that is served. Otherwise nothing is left of it but the socket.
phx_status open_connection(phx_ipc_server& server, unsigned index, int socket,
                           const ConnectRequest& request) noexcept {
  const phx_ipc_service* service = service_of(server, request.service);
  if (service == nullptr) return PHX_NOT_SUPPORTED;
  if (server.hooks.service_available != nullptr &&
      server.hooks.service_available(server.options.context, request.service) == 0) {
    return PHX_TRY_AGAIN;
  }
  const Place& place = server.places[index];
  Connection* c = nullptr;
  int memory = -1;
  int wake = -1;
  phx_status status = make_connection(server, index, request, c, memory, wake);
  if (status != PHX_OK) {
    if (memory >= 0) close(memory);
    return status;
  }
  c->pid = place.pid;
  c->uid = place.uid;
  c->gid = place.gid;
  c->socket = socket;
  if ((request.flags & kBroadcast) != 0 && server.broadcast.page != nullptr)
    join_broadcast(server, *c);
  status = begin(server, index, *c, *service);
  if (status == PHX_OK) {
    c->service = service;  // From here on exit() is owed.
    status = welcome(server, index, *c, {memory, wake});
  }
  close(memory);
  close(wake);
  if (status == PHX_OK) return PHX_OK;
  const client::BiasedGuard guard(server.places[index].lock);
  c->socket = -1;  // Its owner answers on it.
  return status;
}

/// Out of descriptors, a client that waits would be seen for ever: the one in reserve takes it and
/// tells it. False: there is none.
bool refuse_one(phx_ipc_server& server) noexcept {
  if (server.reserve < 0) return false;
  close(server.reserve);
  const int socket = accept4(server.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket >= 0) refuse_client(server, socket, PHX_LIMIT);
  server.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return socket >= 0;
}

}  // namespace

void accept_clients(phx_ipc_server& server) noexcept {
  // It may have been lost to another thread when it was given up last.
  if (server.reserve < 0) server.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < kAcceptsATurn; ++i) {
    const int socket = accept4(server.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0) {
      admit(server, socket);
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) {
      fail_for_good(server, "the listener of the server broke");
      return;
    }
    say(server, 3, "cannot take a client: accept: %s; raise the limit of descriptors or memory",
        std::strerror(errno));
    if (!refuse_one(server)) return;
  }
}

void read_request(phx_ipc_server& server, unsigned index) noexcept {
  Place& place = server.places[index];
  const int socket = place.socket;
  ConnectRequest request;
  const ssize_t got = recv(socket, &request, sizeof request, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  place.socket = -1;
  // A thread of its own closes it when it likes: the loop has to have forgotten it before.
  const bool of_thread = server.options.threading == PHX_IPC_THREADS;
  if (of_thread) forget(server, socket);
  // The library sends it in one piece, and a Unix socket keeps it in one.
  phx_status status = PHX_INVALID;
  if (got == static_cast<ssize_t>(sizeof request) && request.magic == kMagic) {
    status = request.version == kVersion && request.bytes == sizeof request
                 ? open_connection(server, index, socket, request)
                 : PHX_VERSION;
  }
  if (status == PHX_OK) {
    if (!of_thread) place.served = place.connection;
    return;
  }
  if (!of_thread) forget(server, socket);
  if (got > 0) {
    refuse_client(server, socket, status);
  } else {
    close(socket);
  }
  if (place.connection != nullptr) {
    end_connection(server, *place.connection);
  } else {
    give_place(server, index);
  }
}

}  // namespace phalanx::call
