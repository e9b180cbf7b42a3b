#include "controlplane/daemon/call_server.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "controlplane/daemon/log.h"
#include "ipc/base/assert.h"

namespace phalanx::controlplane {
namespace {

std::uint32_t wanted_of(short events) {
  return ((events & POLLIN) != 0 ? EPOLLIN : 0u) | ((events & POLLOUT) != 0 ? EPOLLOUT : 0u);
}

short ready_of(std::uint32_t events) {
  int ready = 0;
  // A hang-up is seen by reading.
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ready |= POLLIN;
  if ((events & EPOLLOUT) != 0) ready |= POLLOUT;
  return static_cast<short>(ready);
}

}  // namespace

CallServer::CallServer(EventLoop& loop, Fd listener, const Options& options, Handlers handlers)
    : loop_(loop),
      options_(options),
      handlers_(std::move(handlers)),
      copy_(options.limits.message_bytes) {
  PHX_CHECK(options.calls <= kCallsMax);
  std::ranges::fill(table_, phx_ipc_handler{.handle = on_message, .flow_control = 0});
  service_ = {.service = options.service,
              .private_bytes = 0,
              .handlers = table_,
              .handler_count = options.calls,
              .init =
                  [](void* context, phx_ipc_server* server, Client client, void*) {
                    phx_ipc_client_info info{};
                    const phx_status status = phx_ipc_client(server, client, &info);
                    if (status == PHX_OK) {
                      of(context).handlers_.joined(
                          client, {.pid = static_cast<std::uint32_t>(info.pid), .uid = info.uid});
                    }
                    return status;
                  },
              .exit = [](void* context, phx_ipc_server*, Client client,
                         void*) { of(context).handlers_.left(client); },
              .room = nullptr};
  const Limits& limits = options.limits;
  const phx_ipc_server_options server{.struct_bytes = sizeof server,
                                      .runtime_directory = nullptr,
                                      .services = &service_,
                                      .service_count = 1,
                                      .context = this,
                                      .hooks = hooks(),
                                      .policy = PHX_IPC_EVICT,
                                      .throttle_max_ms = 0,
                                      .threading = PHX_IPC_LOOP,
                                      .thread_policy = 0,
                                      .thread_priority = 0,
                                      .spin_us = -1,
                                      .socket_mode = 0,
                                      .clients_max = limits.clients_max,
                                      .clients_per_user_max = limits.clients_of_user,
                                      .clients_reserved = limits.clients_reserved,
                                      .ring_bytes_max = limits.ring_bytes,
                                      .message_bytes_max = limits.message_bytes,
                                      .buffer_bytes_max = 1,  // 0 would mean the default.
                                      .broadcast_bytes = 0,
                                      .turn_messages_max = limits.messages_a_turn,
                                      .listener = listener.get(),
                                      .attachment = options.attachment};
  // It lacks memory or descriptors, at the start: as where a loop has none.
  PHX_CHECK(phx_ipc_server_create(nullptr, &server, &server_) == PHX_OK);
  (void)listener.release();
}

CallServer::~CallServer() { PHX_CHECK(phx_ipc_server_destroy(server_) == PHX_OK); }

phx_ipc_hooks CallServer::hooks() const {
  phx_ipc_hooks hooks{};
  hooks.peer_valid = [](void* context, int socket) {
    const auto peer = security::peer_credentials(socket);
    return peer && of(context).handlers_.admit(*peer) ? 1 : 0;
  };
  hooks.log = [](void* context, int level, const char* text) {
    // What it says names processes: behind the "=", or each would be a reason of its own.
    log(of(context).options_.subsystem)
        .log(level <= 3 ? spdlog::level::err : spdlog::level::warn, "{} text=\"{}\"",
             level <= 3 ? "service cannot go on" : "service refused or cut off a client", text);
  };
  hooks.poll_add = [](void* context, int fd, short events, phx_ipc_ready ready, void* data) {
    of(context).watch(fd, events, ready, data);
    return 0;
  };
  hooks.poll_modify = [](void* context, int fd, short events) {
    of(context).watches_.at(fd).want(wanted_of(events));
    return 0;
  };
  hooks.poll_destroy = [](void* context, int fd) { of(context).watches_.erase(fd); };
  return hooks;
}

void CallServer::watch(int fd, short events, phx_ipc_ready ready, void* data) {
  watches_[fd] = Watch(loop_, fd, wanted_of(events), [this, fd, ready, data](std::uint32_t came) {
    ready(server_, fd, ready_of(came), data);
  });
}

void CallServer::on_message(void* context, phx_ipc_server*, const phx_ipc_message* message) {
  CallServer& self = of(context);
  // A zero-copy buffer may hold more than a ring's message: nobody needs that here.
  if (message->bytes > self.copy_.size()) return self.cut_off(message->connection);
  std::copy_n(static_cast<const std::byte*>(message->data), message->bytes, self.copy_.begin());
  self.handlers_.request({.client = message->connection,
                          .number = message->request,
                          .call = message->id,
                          .bytes = std::span<const std::byte>(self.copy_).first(message->bytes),
                          .reply_bytes_max = message->reply_bytes_max});
}

bool CallServer::reply(Client client, phx_ipc_request number, std::span<const std::byte> bytes) {
  return phx_ipc_reply_send(server_, client, number, bytes.data(), bytes.size()) == PHX_OK;
}

bool CallServer::refuse(Client client, phx_ipc_request number, phx_status status) {
  return phx_ipc_refuse(server_, client, number, status) == PHX_OK;
}

bool CallServer::tell(Client client, std::uint32_t event, std::span<const std::byte> bytes) {
  return phx_ipc_dispatch(server_, client, event, bytes.data(), bytes.size()) == PHX_OK;
}

void CallServer::cut_off(Client client) { (void)phx_ipc_evict(server_, client); }

phx_ipc_server_info CallServer::counts() const {
  phx_ipc_server_info info{};
  PHX_CHECK(phx_ipc_server_counts(server_, &info) == PHX_OK);
  return info;
}

}  // namespace phalanx::controlplane
