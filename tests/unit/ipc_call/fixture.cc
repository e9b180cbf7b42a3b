#include "tests/unit/ipc_call/fixture.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace phalanx::call {
namespace {

TestServer& of(void* context) { return *static_cast<TestServer*>(context); }

void echo(void*, phx_ipc_server* server, const phx_ipc_message* m) {
  (void)phx_ipc_reply_send(server, m->connection, m->request, m->data, m->bytes);
}

void later(void* context, phx_ipc_server*, const phx_ipc_message* m) {
  const std::lock_guard guard(of(context).mutex);
  of(context).later.push_back(*m);
}

void count(void* context, phx_ipc_server*, const phx_ipc_message*) { ++of(context).counted; }

void events(void* context, phx_ipc_server* server, const phx_ipc_message* m) {
  std::uint32_t wanted[2] = {};
  std::memcpy(wanted, m->data, sizeof wanted);
  std::vector<char> bytes(wanted[1], 'e');
  for (std::uint32_t i = 0; i < wanted[0]; ++i) {
    const phx_status status =
        phx_ipc_dispatch(server, m->connection, i, bytes.data(), bytes.size());
    of(context).last_dispatch = status;
    if (status != PHX_OK) break;
  }
  if (m->request != 0) (void)phx_ipc_reply_send(server, m->connection, m->request, nullptr, 0);
}

void twice(void* context, phx_ipc_server* server, const phx_ipc_message* m) {
  echo(context, server, m);
  of(context).second_reply = phx_ipc_reply_send(server, m->connection, m->request, nullptr, 0);
}

void refuse(void*, phx_ipc_server* server, const phx_ipc_message* m) {
  std::uint32_t status = 0;
  std::memcpy(&status, m->data, sizeof status);
  (void)phx_ipc_refuse(server, m->connection, m->request, static_cast<phx_status>(status));
}

void sum(void*, phx_ipc_server* server, const phx_ipc_message* m) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < m->bytes; ++i) total += static_cast<const unsigned char*>(m->data)[i];
  (void)phx_ipc_reply_send(server, m->connection, m->request, &total, sizeof total);
}

const phx_ipc_handler kHandlers[] = {
    {echo, 0}, {later, 0}, {count, 0},  {events, 0}, {twice, 0},
    {echo, 1}, {count, 1}, {refuse, 0}, {sum, 0},
};

}  // namespace

Folder::Folder() {
  char name[] = "/tmp/phx-call-XXXXXX";
  path_ = mkdtemp(name);
}

Folder::~Folder() { std::filesystem::remove_all(path_); }

TestServer::TestServer(const Folder& folder) {
  service_ = {.service = kService,
              .private_bytes = 32,
              .handlers = kHandlers,
              .handler_count = std::size(kHandlers),
              .init =
                  [](void* context, phx_ipc_server* s, phx_ipc_connection c, void* private_data) {
                    TestServer& self = of(context);
                    self.server = s;
                    self.last = c;
                    std::memcpy(private_data, &c, sizeof c);
                    const phx_status status = self.on_init ? self.on_init(c) : PHX_OK;
                    if (status == PHX_OK) ++self.connected;
                    return status;
                  },
              .exit =
                  [](void* context, phx_ipc_server*, phx_ipc_connection c, void* private_data) {
                    EXPECT_EQ(std::memcmp(private_data, &c, sizeof c), 0);
                    if (of(context).on_exit) of(context).on_exit(c);
                    ++of(context).exited;
                  },
              .room =
                  [](void* context, phx_ipc_server*, phx_ipc_connection c, void*) {
                    ++of(context).rooms;
                    if (of(context).on_room) of(context).on_room(c);
                  }};
  options.struct_bytes = sizeof options;
  options.runtime_directory = folder.path();
  options.services = &service_;
  options.service_count = 1;
  options.context = this;
  options.hooks.sending_allowed = [](void* context, const phx_ipc_message*, void* kept) {
    ++of(context).allowed_calls;
    std::memset(kept, 7, PHX_IPC_PRIVATE_BYTES);
    return of(context).may_send.load();
  };
  options.hooks.sending_allowed_release = [](void* context, void* kept) {
    EXPECT_EQ(static_cast<char*>(kept)[PHX_IPC_PRIVATE_BYTES - 1], 7);
    ++of(context).released;
  };
  options.hooks.log = [](void* context, int, const char* text) {
    const std::lock_guard guard(of(context).mutex);
    of(context).lines.emplace_back(text);
  };
}

TestServer::~TestServer() {
  if (thread_.joinable()) stop();
}

void TestServer::start() {
  ASSERT_EQ(phx_ipc_server_create("test", &options, &server), PHX_OK);
  thread_ = std::thread([s = server] { EXPECT_EQ(phx_ipc_server_run(s), PHX_OK); });
}

void TestServer::join() {
  phx_ipc_server_stop(server);
  thread_.join();
}

void TestServer::stop() {
  if (thread_.joinable()) join();
  EXPECT_EQ(phx_ipc_server_destroy(server), PHX_OK);
}

void TestServer::answer_all() {
  const std::lock_guard guard(mutex);
  // The last one first: replies need not come in order.
  for (auto m = later.rbegin(); m != later.rend(); ++m) {
    const std::uint64_t request = m->request;
    (void)phx_ipc_reply_send(server, m->connection, m->request, &request, sizeof request);
  }
  later.clear();
}

phx_ipc_handle connect_to(const Folder& folder, phx_ipc_options options) {
  options.struct_bytes = sizeof options;
  options.runtime_directory = folder.path();
  phx_ipc_handle handle = 0;
  EXPECT_EQ(phx_ipc_connect("test", kService, &options, &handle), PHX_OK);
  return handle;
}

bool eventually(const std::function<bool()>& what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace phalanx::call
