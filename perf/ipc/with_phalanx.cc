#include <phalanx/ipc_client.h>
#include <phalanx/ipc_server.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ipc/base/time_ns.h"
#include "perf/ipc/shape.h"

namespace phalanx::perf {
namespace {

enum Id : std::uint32_t { kEcho = 0, kCount = 1 };
constexpr std::uint32_t kService = 1;
constexpr int kLongUs = 1'000'000;  ///< Longer than anybody waits here: never to sleep.

/// The folder for sockets, the same in all processes of a run.
std::string folder() { return "/tmp/phalanx-perf-" + std::to_string(geteuid()); }

std::size_t message_max(const IpcShape& shape) { return shape.bytes < 64 ? 64 : shape.bytes; }

/// Of short messages so many that the two sides seldom wait for one another's lines, and that many
/// readers on few cores take turns seldom. Of long ones that are copied a few, which stay in the
/// cache; of those that are built in place, where only their headers move, many.
std::size_t ring_bytes(const IpcShape& shape) {
  constexpr std::size_t kLeast = 1u << 20, kMost = 64u << 20, kShort = 4096;
  const std::size_t rings = shape.mode == IpcMode::Fanout ? 1 : shape.clients;
  std::size_t bytes = 8 * kLeast / rings;
  if (shape.bytes > kShort) bytes = shape.bytes * (shape.in_place ? 64 : 8);
  return std::clamp(bytes, kLeast, kMost);
}

int spin_us(IpcWait wait) {
  switch (wait) {
    case IpcWait::Poll:
    case IpcWait::Yield:
      return kLongUs;
    case IpcWait::Adaptive:
      return 0;
    case IpcWait::Block:
      break;
  }
  return -1;
}

class Server final : public IpcServer {
 public:
  bool start(const std::string& name, const IpcShape& shape, IpcShared& shared) override {
    shape_ = shape;
    shared_ = &shared;
    event_.assign(shape.bytes, 'e');
    service_ = {.service = kService,
                .private_bytes = 0,
                .handlers = kHandlers,
                .handler_count = 2,
                .init =
                    [](void* context, phx_ipc_server*, phx_ipc_connection c, void*) {
                      static_cast<Server*>(context)->clients_.push_back(c);
                      return PHX_OK;
                    },
                .exit = nullptr,
                .room = nullptr};
    const std::string directory = folder();
    phx_ipc_server_options options{};
    options.struct_bytes = sizeof options;
    options.runtime_directory = directory.c_str();
    options.services = &service_;
    options.service_count = 1;
    options.context = this;
    options.policy = PHX_IPC_THROTTLE;
    options.throttle_max_ms = 60'000;
    options.spin_us = spin_us(shape.wait);
    options.ring_bytes_max = std::size_t{64} << 20;
    options.message_bytes_max = std::size_t{16} << 20;
    if (shape.mode == IpcMode::Fanout) options.broadcast_bytes = ring_bytes(shape);
    items_.assign(shape.batch, {.id = 1, .data = event_.data(), .bytes = event_.size()});
    return phx_ipc_server_create(name.c_str(), &options, &server_) == PHX_OK;
  }

  void run() override {
    if (shape_.mode == IpcMode::Events) return run_events();
    if (shape_.mode == IpcMode::Fanout) return run_fanout();
    if (shape_.wait != IpcWait::Poll) {
      while (shared_->stop.load() == 0) (void)phx_ipc_server_run(server_);
      return;
    }
    while (shared_->stop.load(std::memory_order_relaxed) == 0) {
      (void)phx_ipc_server_poll(server_, nullptr);
      look_at_sockets(256);
    }
  }

 private:
  static void echo(void*, phx_ipc_server* server, const phx_ipc_message* m) {
    (void)phx_ipc_reply_send(server, m->connection, m->request, m->data, m->bytes);
  }
  static void count(void* context, phx_ipc_server*, const phx_ipc_message*) {
    auto& counter = static_cast<Server*>(context)->shared_->server_count;
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// What comes over sockets, once a millisecond, as phx_ipc_server_run() does; the clock is looked
  /// at every so many rounds.
  void look_at_sockets(std::uint32_t rounds) {
    if (++rounds_ % rounds != 0 || monotonic_now() - looked_ < kMillisecond) return;
    (void)phx_ipc_server_turn(server_, 0);
    looked_ = monotonic_now();
  }
  /// Sleeps for a while where that is asked for and nothing could be sent.
  void end_round(bool sent) {
    if (shape_.wait == IpcWait::Block && !sent) {
      (void)phx_ipc_server_turn(server_, 100);
    } else {
      if (!sent && shape_.wait != IpcWait::Poll) sched_yield();
      look_at_sockets(4);
    }
  }

  void run_events() {
    while (shared_->stop.load(std::memory_order_relaxed) == 0) {
      bool sent = false;
      for (const phx_ipc_connection c : clients_) {
        for (int i = 0; i < 64; ++i) {
          if (phx_ipc_dispatch(server_, c, 1, event_.data(), event_.size()) != PHX_OK) break;
          sent = true;
        }
      }
      end_round(sent);
    }
  }

  void run_fanout() {
    while (shared_->stop.load(std::memory_order_relaxed) == 0) {
      std::size_t sent = 0;
      for (int i = 0; i < 64; ++i) {
        std::size_t accepted = 0;
        const phx_status status =
            phx_ipc_broadcast(server_, items_.data(), items_.size(), &accepted);
        sent += accepted;
        if (status != PHX_OK) break;
      }
      end_round(sent > 0);
    }
  }

  static constexpr phx_ipc_handler kHandlers[] = {{.handle = echo, .flow_control = 0},
                                                  {.handle = count, .flow_control = 0}};
  IpcShape shape_;
  IpcShared* shared_ = nullptr;
  phx_ipc_service service_{};
  phx_ipc_server* server_ = nullptr;
  std::vector<phx_ipc_connection> clients_;
  std::vector<phx_ipc_item> items_;
  std::string event_;
  std::uint32_t rounds_ = 0;
  TimeNs looked_ = 0;
};

class Client final : public IpcClient {
 public:
  bool connect(const std::string& name, const IpcShape& shape) override {
    shape_ = shape;
    request_.assign(shape.bytes, 'r');
    reply_.resize(shape.bytes);
    items_.assign(shape.batch, {.id = kCount, .data = request_.data(), .bytes = shape.bytes});
    rooms_.resize(shape.batch < PHX_IPC_RESERVED_MAX ? shape.batch : PHX_IPC_RESERVED_MAX);
    const std::string directory = folder();
    phx_ipc_options options{};
    options.struct_bytes = sizeof options;
    options.runtime_directory = directory.c_str();
    options.request_ring_bytes = options.response_ring_bytes = options.dispatch_ring_bytes =
        ring_bytes(shape);
    options.message_bytes_max = message_max(shape);
    options.spin_us = spin_us(shape.wait);
    options.broadcast = shape.mode == IpcMode::Fanout ? 1 : 0;
    options.wait = shape.wait == IpcWait::Poll    ? PHX_IPC_POLL
                   : shape.wait == IpcWait::Block ? PHX_IPC_SLEEP
                                                  : PHX_IPC_ADAPTIVE;
    return phx_ipc_connect(name.c_str(), kService, &options, &handle_) == PHX_OK;
  }
  bool call() override {
    return phx_ipc_call(handle_, kEcho, request_.data(), request_.size(), reply_.data(),
                        reply_.size(), nullptr, 5000) == PHX_OK;
  }
  std::size_t post() override {
    if (shape_.in_place) return build();
    const iovec part{.iov_base = request_.data(), .iov_len = request_.size()};
    if (shape_.batch == 1) return phx_ipc_post(handle_, kCount, &part, 1, 100) == PHX_OK ? 1 : 0;
    std::size_t accepted = 0;
    (void)phx_ipc_post_batch(handle_, items_.data(), items_.size(), &accepted);
    // None: the ring is full. Wait for room with one of them.
    return accepted > 0 || phx_ipc_post(handle_, kCount, &part, 1, 100) != PHX_OK ? accepted : 1;
  }
  std::size_t take() override {
    phx_ipc_event events[256];
    std::size_t got = 0;
    const std::size_t most = shape_.batch < 256 ? shape_.batch : 256;
    if (phx_ipc_get_batch(handle_, events, most, &got, 100) != PHX_OK) return 0;
    (void)phx_ipc_put(handle_);
    return got;
  }

 private:
  /// Large messages are sent as they lie: what is measured is that nothing is copied.
  std::size_t build() {
    constexpr std::size_t kWorthWriting = 4096;
    std::size_t reserved = 0;
    for (phx_ipc_room& room : rooms_)
      room = {.id = kCount, .bytes = request_.size(), .data = nullptr};
    if (phx_ipc_reserve(handle_, rooms_.data(), rooms_.size(), &reserved, 100) != PHX_OK) return 0;
    for (std::size_t i = 0; i < reserved && request_.size() <= kWorthWriting; ++i)
      std::memcpy(rooms_[i].data, request_.data(), request_.size());
    return phx_ipc_commit(handle_, rooms_.data(), reserved) == PHX_OK ? reserved : 0;
  }

  IpcShape shape_;
  phx_ipc_handle handle_ = 0;
  std::string request_, reply_;
  std::vector<phx_ipc_item> items_;
  std::vector<phx_ipc_room> rooms_;
};

}  // namespace

IpcLibrary phalanx_library() {
  return {.name = "phalanx",
          .make_server = []() -> std::unique_ptr<IpcServer> { return std::make_unique<Server>(); },
          .make_client = []() -> std::unique_ptr<IpcClient> { return std::make_unique<Client>(); }};
}

}  // namespace phalanx::perf
