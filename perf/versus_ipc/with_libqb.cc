#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" {
#include <qb/qbipcc.h>
#include <qb/qbipcs.h>
#include <qb/qbloop.h>
}

#include "perf/versus_ipc/libraries.h"

namespace phalanx::perf {
namespace {

/// libqb's services are found by a name of the host, its callbacks by nothing: one server a
/// process.
struct Service {
  IpcShape shape;
  IpcShared* shared = nullptr;
  qb_loop_t* loop = nullptr;
  qb_ipcs_service_t* service = nullptr;
  std::vector<qb_ipcs_connection_t*> clients;
  std::vector<char> message;
};
Service self;

struct Message {
  qb_ipc_request_header header;
};

std::size_t largest(const IpcShape& shape) {
  const std::size_t bytes = sizeof(Message) + shape.bytes + 64;
  return bytes < 131072 ? 131072 : bytes;
}

int add(enum qb_loop_priority p, int32_t fd, int32_t events, void* data, qb_ipcs_dispatch_fn_t fn) {
  return qb_loop_poll_add(self.loop, p, fd, events, data, fn);
}
int modify(enum qb_loop_priority p, int32_t fd, int32_t events, void* data,
           qb_ipcs_dispatch_fn_t fn) {
  return qb_loop_poll_mod(self.loop, p, fd, events, data, fn);
}
int remove_fd(int32_t fd) { return qb_loop_poll_del(self.loop, fd); }
int add_job(enum qb_loop_priority p, void* data, qb_loop_job_dispatch_fn fn) {
  return qb_loop_job_add(self.loop, p, data, fn);
}

void send_events(void*) {
  bool sent = false;
  for (qb_ipcs_connection_t* c : self.clients) {
    for (int i = 0; i < 64; ++i) {
      if (qb_ipcs_event_send(c, self.message.data(), self.message.size()) < 0) break;
      sent = true;
    }
  }
  (void)sent;
  (void)qb_loop_job_add(self.loop, QB_LOOP_LOW, nullptr, send_events);
}

int32_t on_accept(qb_ipcs_connection_t*, uid_t, gid_t) { return 0; }
void on_created(qb_ipcs_connection_t* c) {
  if (self.shape.mode == IpcMode::Events) self.clients.push_back(c);
}
int32_t on_message(qb_ipcs_connection_t* c, void* data, std::size_t) {
  if (self.shape.mode == IpcMode::OneWay) {
    auto& counter = self.shared->server_count;
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return 0;
  }
  auto* reply = reinterpret_cast<qb_ipc_response_header*>(self.message.data());
  std::memcpy(self.message.data() + sizeof *reply, static_cast<char*>(data) + sizeof(Message),
              self.shape.bytes);
  (void)qb_ipcs_response_send(c, reply, self.message.size());
  return 0;
}
int32_t on_closed(qb_ipcs_connection_t*) { return 0; }
void on_destroyed(qb_ipcs_connection_t*) {}

void look(void*) {
  if (self.shared->stop.load() != 0) {
    qb_loop_stop(self.loop);
    return;
  }
  (void)qb_loop_timer_add(self.loop, QB_LOOP_LOW, 20'000'000, nullptr, look, nullptr);
}

class Server final : public IpcServer {
 public:
  bool start(const std::string& name, const IpcShape& shape, IpcShared& shared) override {
    self.shape = shape;
    self.shared = &shared;
    self.loop = qb_loop_create();
    self.message.assign(sizeof(qb_ipc_response_header) + shape.bytes, 'e');
    auto* header = reinterpret_cast<qb_ipc_response_header*>(self.message.data());
    header->id = 1;
    header->size = static_cast<int32_t>(self.message.size());
    header->error = 0;
    qb_ipcs_service_handlers handlers{};
    handlers.connection_accept = on_accept;
    handlers.connection_created = on_created;
    handlers.msg_process = on_message;
    handlers.connection_closed = on_closed;
    handlers.connection_destroyed = on_destroyed;
    qb_ipcs_poll_handlers poll{};
    poll.job_add = add_job;
    poll.dispatch_add = add;
    poll.dispatch_mod = modify;
    poll.dispatch_del = remove_fd;
    self.service = qb_ipcs_create(name.c_str(), 0, QB_IPC_SHM, &handlers);
    if (self.service == nullptr) return false;
    qb_ipcs_enforce_buffer_size(self.service, static_cast<uint32_t>(largest(shape)));
    qb_ipcs_poll_handlers_set(self.service, &poll);
    qb_ipcs_request_rate_limit(self.service, QB_IPCS_RATE_FAST);
    if (qb_ipcs_run(self.service) < 0) return false;
    if (shape.mode == IpcMode::Events)
      (void)qb_loop_job_add(self.loop, QB_LOOP_LOW, nullptr, send_events);
    look(nullptr);
    return true;
  }
  void run() override {
    qb_loop_run(self.loop);
    qb_ipcs_destroy(self.service);
  }
};

class Client final : public IpcClient {
 public:
  ~Client() override {
    if (connection_ != nullptr) qb_ipcc_disconnect(connection_);
  }
  bool connect(const std::string& name, const IpcShape& shape) override {
    shape_ = shape;
    connection_ = qb_ipcc_connect(name.c_str(), largest(shape));
    request_.assign(sizeof(Message) + shape.bytes, 'r');
    reply_.resize(largest(shape));
    auto* header = reinterpret_cast<qb_ipc_request_header*>(request_.data());
    header->id = 1;
    header->size = static_cast<int32_t>(request_.size());
    return connection_ != nullptr;
  }
  bool call() override {
    const iovec part{.iov_base = request_.data(), .iov_len = request_.size()};
    return qb_ipcc_sendv_recv(connection_, &part, 1, reply_.data(), reply_.size(), 5000) > 0;
  }
  std::size_t post() override {
    return qb_ipcc_send(connection_, request_.data(), request_.size()) > 0 ? 1 : 0;
  }
  std::size_t take() override {
    return qb_ipcc_event_recv(connection_, reply_.data(), reply_.size(), 100) > 0 ? 1 : 0;
  }

 private:
  IpcShape shape_;
  qb_ipcc_connection_t* connection_ = nullptr;
  std::vector<char> request_, reply_;
};

}  // namespace

IpcLibrary libqb_library() {
  return {.name = "libqb",
          .make_server = []() -> std::unique_ptr<IpcServer> { return std::make_unique<Server>(); },
          .make_client = []() -> std::unique_ptr<IpcClient> { return std::make_unique<Client>(); }};
}

}  // namespace phalanx::perf
