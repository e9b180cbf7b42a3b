#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

#include "ipc/call/fork.h"
#include "ipc/call/server/server.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {
namespace {

constexpr int kEventsATurn = 32;
/// A server that polls looks at its descriptors this often.
constexpr TimeNs kLookInterval = kMillisecond;

/// What serves `fd`, if it is still what it was when the loop saw it.
void on_ready(phx_ipc_server& server, int fd, unsigned index) noexcept {
  if (fd == server.listener) {
    accept_clients(server);
  } else if (fd == server.kick) {
    std::uint64_t count = 0;
    (void)!read(fd, &count, sizeof count);
    const bool resumed = server.resumed.exchange(false, std::memory_order_acquire);
    const bool room_made = server.room_made.exchange(false, std::memory_order_acquire);
    for (unsigned i = 0; i < server.places_used && (resumed || room_made); ++i) {
      Connection* c = server.places[i].served;
      if (c == nullptr) continue;
      const bool held = resumed && c->held_back.exchange(false, std::memory_order_relaxed);
      if (held || c->stalled.load(std::memory_order_relaxed)) on_doorbell(server, i);
    }
  } else if (index < server.places_used) {
    const Place& place = server.places[index];
    if (place.socket == fd) {
      read_request(server, index);
    } else if (place.served != nullptr && place.served->socket == fd) {
      on_doorbell(server, index);
    }
  }
}

void on_ready_outside(phx_ipc_server* server, int fd, short, void* data) {
  on_ready(*server, fd, static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(data)));
}

void* data_of(unsigned index) noexcept {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(index));
}

epoll_event event_of(int fd, short events, unsigned index) noexcept {
  epoll_event event{};
  event.events =
      ((events & POLLIN) != 0 ? EPOLLIN : 0u) | ((events & POLLOUT) != 0 ? EPOLLOUT : 0u);
  event.data.u64 = std::uint64_t{index} << 32 | static_cast<std::uint32_t>(fd);
  return event;
}

std::size_t serve_all(phx_ipc_server& server) noexcept {
  std::size_t handled = 0;
  unsigned clients = 0;
  bool called = false, more = false;
  for (unsigned i = 0; i < server.places_used; ++i) {
    Connection* c = server.places[i].served;
    if (c == nullptr) continue;
    ++clients;
    const std::size_t served = serve(server, *c, 64);
    handled += served;
    called = called || c->called;
    more = more || (served > 0 && c->requests.queued_bytes() != 0);
  }
  gather(server.gatherer, handled, called, more,
         clients > 1 ? Gatherer::kBrief : Gatherer::kLongest);
  return handled;
}

/// Asks every client for a byte. True: one has sent something already.
bool arm_all(phx_ipc_server& server) noexcept {
  bool asked = false;
  for (unsigned i = 0; i < server.places_used; ++i) {
    Connection* c = server.places[i].served;
    if (c != nullptr && ask_for_wake(*c)) asked = true;
  }
  if (asked) fence_before_sleep(server.barriers);
  bool waits = false;
  for (unsigned i = 0; i < server.places_used; ++i) {
    Connection* c = server.places[i].served;
    if (c == nullptr || !look_again(*c)) continue;
    (void)serve(server, *c, 64);
    waits = true;
  }
  return waits;
}

/// Waits for its descriptors and serves them. False: nothing came.
bool turn(phx_ipc_server& server, int timeout_ms) noexcept {
  epoll_event events[kEventsATurn];
  const int count = epoll_wait(server.epoll, events, kEventsATurn, timeout_ms);
  if (count < 0 && errno != EINTR) fail_for_good(server, "epoll_wait failed");
  for (int i = 0; i < count; ++i) {
    on_ready(server, static_cast<int>(events[i].data.u64 & 0xffffffff),
             static_cast<unsigned>(events[i].data.u64 >> 32));
  }
  return count > 0;
}

}  // namespace

bool watch(phx_ipc_server& server, int fd, short events, unsigned index) noexcept {
  if (server.hooks.poll_add != nullptr) {
    return server.hooks.poll_add(server.options.context, fd, events, on_ready_outside,
                                 data_of(index)) == 0;
  }
  epoll_event event = event_of(fd, events, index);
  return epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void change(phx_ipc_server& server, int fd, short events, unsigned index) noexcept {
  if (server.hooks.poll_add != nullptr) {
    (void)server.hooks.poll_modify(server.options.context, fd, events);
    return;
  }
  epoll_event event = event_of(fd, events, index);
  (void)epoll_ctl(server.epoll, EPOLL_CTL_MOD, fd, &event);
}

void forget(phx_ipc_server& server, int fd) noexcept {
  if (server.hooks.poll_add != nullptr) {
    server.hooks.poll_destroy(server.options.context, fd);
  } else {
    (void)epoll_ctl(server.epoll, EPOLL_CTL_DEL, fd, nullptr);
  }
}

void kick(const phx_ipc_server& server) noexcept {
  const std::uint64_t one = 1;
  (void)!write(server.kick, &one, sizeof one);
}

const phx_ipc_server*& handling() noexcept {
  static thread_local const phx_ipc_server* server = nullptr;
  return server;
}

phx_status may_drive(const phx_ipc_server* server) noexcept {
  if (server == nullptr) return PHX_INVALID;
  if (server->forks != fork_count()) return PHX_FORKED;
  return handling() == server ? PHX_WRONG_THREAD : PHX_OK;
}

}  // namespace phalanx::call

using namespace phalanx;
using namespace phalanx::call;

phx_status phx_ipc_server_poll(phx_ipc_server* server, std::size_t* handled) {
  const phx_status status = may_drive(server);
  if (status != PHX_OK) return status;
  if (server->options.threading == PHX_IPC_THREADS) return PHX_NOT_SUPPORTED;
  const std::size_t count = serve_all(*server);
  if (count == 0) rest_processor();
  if (handled != nullptr) *handled = count;
  return PHX_OK;
}

phx_status phx_ipc_server_turn(phx_ipc_server* server, int timeout_ms) {
  const phx_status status = may_drive(server);
  if (status != PHX_OK) return status;
  if (server->epoll < 0) return PHX_NOT_SUPPORTED;
  const bool waits = timeout_ms != 0 && arm_all(*server);
  const bool came = turn(*server, waits ? 0 : timeout_ms);
  return waits || came ? PHX_OK : PHX_TIMED_OUT;
}

phx_status phx_ipc_server_run(phx_ipc_server* server) {
  const phx_status status = may_drive(server);
  if (status != PHX_OK) return status;
  if (server->epoll < 0) return PHX_NOT_SUPPORTED;
  if (server->spin_ns > 0) take_short_turns();
  Spinner spinner(false, server->spin_ns);
  TimeNs now = monotonic_now();
  TimeNs looked = now;
  std::uint32_t busy = 0;
  while (!server->stopping.load(std::memory_order_acquire)) {
    if (serve_all(*server) > 0) {
      spinner.start_again();
      if (++busy % 64 == 0) now = monotonic_now();
    } else if (!spinner.turn(now)) {
      spinner.start_again();
      (void)turn(*server, arm_all(*server) ? 0 : -1);
      looked = now = monotonic_now();
    }
    if (now - looked < kLookInterval) continue;
    looked = now;
    (void)turn(*server, 0);
  }
  server->stopping.store(false, std::memory_order_relaxed);
  (void)arm_all(*server);  // Whoever drives it next may sleep on its descriptor.
  return PHX_OK;
}

void phx_ipc_server_stop(phx_ipc_server* server) {
  if (server == nullptr) return;
  server->stopping.store(true, std::memory_order_release);
  kick(*server);
}

phx_status phx_ipc_server_fd(phx_ipc_server* server, int* fd) {
  if (server == nullptr || fd == nullptr) return PHX_INVALID;
  if (server->epoll < 0) return PHX_NOT_SUPPORTED;
  *fd = server->epoll;
  return PHX_OK;
}

phx_status phx_ipc_server_resume(phx_ipc_server* server) {
  if (server == nullptr) return PHX_INVALID;
  if (server->forks != fork_count()) return PHX_FORKED;
  server->resumed.store(true, std::memory_order_release);
  kick(*server);
  return PHX_OK;
}
