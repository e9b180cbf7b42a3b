#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

phx_status try_connect(const Folder& folder, const char* name, std::uint32_t service,
                       phx_ipc_handle* handle) {
  const phx_ipc_options options{.struct_bytes = sizeof options,
                                .runtime_directory = folder.path(),
                                .connect_timeout_ms = 5000};
  return phx_ipc_connect(name, service, &options, handle);
}

TEST(Server, ThatGoesIsToldPromptlyAndAfterTheLastEvent) {
  const Folder folder;
  auto server = std::make_unique<TestServer>(folder);
  server->start();
  const phx_ipc_handle h = connect_to(folder);
  const phx_ipc_handle fresh = connect_to(folder);
  ASSERT_EQ(phx_ipc_disconnect(fresh), PHX_OK);
  const std::uint32_t wanted[2] = {2, 8};
  ASSERT_EQ(phx_ipc_call(h, kEvents, wanted, sizeof wanted, nullptr, 0, nullptr, 5000), PHX_OK);
  std::thread waiting([h] {
    EXPECT_EQ(phx_ipc_call(h, kLater, "", 0, nullptr, 0, nullptr, 5000), PHX_DISCONNECTED);
  });
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard guard(server->mutex);
    return server->later.size() == 1;
  }));
  server.reset();
  waiting.join();
  phx_ipc_event event{};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_OK);
    EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  }
  EXPECT_EQ(phx_ipc_get(h, &event, -1), PHX_DISCONNECTED);
  EXPECT_EQ(phx_ipc_post(h, kCount, nullptr, 0, 100), PHX_DISCONNECTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  phx_ipc_handle none = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &none), PHX_NOT_RUNNING);

  TestServer next(folder);
  next.start();
  EXPECT_EQ(try_connect(folder, "test", 1, &none), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(none), PHX_OK);
}

/// The descriptor that listens for the name "test".
int listener() {
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_un name{};
    socklen_t bytes = sizeof name;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bytes) == 0 &&
        name.sun_family == AF_UNIX && std::strstr(name.sun_path, "test.sock") != nullptr &&
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0) {
      return fd;
    }
  }
  return -1;
}

TEST(Server, ThatCannotGoOnSaysSoToTheApplication) {
  const Folder folder;
  TestServer server(folder);
  static std::atomic<int> told;
  told = 0;
  server.options.hooks.fatal_error = [](void* context, const char* text) {
    EXPECT_NE(std::string(text).find("listener"), std::string::npos);
    if (++told == 1) phx_ipc_server_stop(static_cast<TestServer*>(context)->server);
  };
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  const int fd = listener();
  ASSERT_GE(fd, 0);
  // Something else closed it, and its number is another file's now. The copy keeps it watched.
  const int copy = dup(fd);
  const int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(dup2(other, fd), fd);
  sockaddr_un name{};
  socklen_t bytes = sizeof name;
  ASSERT_EQ(getsockname(copy, reinterpret_cast<sockaddr*>(&name), &bytes), 0);
  const int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(late, reinterpret_cast<sockaddr*>(&name), bytes), 0);
  EXPECT_TRUE(eventually([] { return told > 0; }));
  server.stop();
  {
    const std::lock_guard guard(server.mutex);
    EXPECT_FALSE(server.lines.empty());
  }
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, -1), PHX_DISCONNECTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  for (const int mine : {copy, other, late}) close(mine);
}

TEST(Server, OfANameIsOne) {
  const Folder folder;
  TestServer first(folder), second(folder);
  first.start();
  EXPECT_EQ(phx_ipc_server_create("test", &second.options, &second.server), PHX_EXISTS);
  phx_ipc_server_options half = second.options;
  half.hooks.malloc = malloc;
  EXPECT_EQ(phx_ipc_server_create("other", &half, &second.server), PHX_INVALID);
  half = second.options;
  half.service_count = 0;
  EXPECT_EQ(phx_ipc_server_create("other", &half, &second.server), PHX_INVALID);
  EXPECT_EQ(phx_ipc_server_create("x/y/z/nowhere", &second.options, &second.server), PHX_ACCESS);
}

TEST(Server, RemovesNothingButASocket) {
  const Folder folder;
  const std::string path = std::string(folder.path()) + "/precious";
  FILE* file = fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  fclose(file);
  TestServer server(folder);
  EXPECT_EQ(phx_ipc_server_create(path.c_str(), &server.options, &server.server), PHX_EXISTS);
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
}

TEST(Server, KeepsAHeldConnectionBeyondItsClient) {
  const Folder folder;
  TestServer server(folder);
  server.on_init = [&](phx_ipc_connection c) { return phx_ipc_hold(server.server, c); };
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  const phx_ipc_connection c = server.last;
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  EXPECT_TRUE(
      eventually([&] { return phx_ipc_dispatch(server.server, c, 0, "", 0) == PHX_DISCONNECTED; }));
  EXPECT_EQ(server.exited, 0);
  EXPECT_EQ(phx_ipc_release(server.server, c), PHX_OK);
  EXPECT_EQ(server.exited, 1);
  EXPECT_EQ(phx_ipc_release(server.server, c), PHX_BAD_HANDLE);
  EXPECT_EQ(phx_ipc_dispatch(server.server, c, 0, "", 0), PHX_BAD_HANDLE);
}

TEST(Server, OfThreadsServesEachClientInItsOwn) {
  const Folder folder;
  TestServer server(folder);
  server.options.threading = PHX_IPC_THREADS;
  server.start();
  std::vector<std::thread> clients;
  clients.reserve(4);
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&folder] {
      const phx_ipc_handle h = connect_to(folder);
      for (int n = 0; n < 500; ++n) {
        int reply = 0;
        ASSERT_EQ(phx_ipc_call(h, kEcho, &n, sizeof n, &reply, sizeof reply, nullptr, 5000),
                  PHX_OK);
        ASSERT_EQ(reply, n);
      }
      EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
    });
  }
  for (std::thread& t : clients) t.join();
  EXPECT_TRUE(eventually([&] { return server.exited == 4; }));
}

TEST(Server, RunsOneHandlerAtATimeWhenAskedTo) {
  const Folder folder;
  TestServer server(folder);
  static std::mutex serial;
  static std::atomic<int> locks;
  locks = 0;
  server.options.threading = PHX_IPC_THREADS;
  server.options.hooks.serialize_lock = [](void*) { serial.lock(), ++locks; };
  server.options.hooks.serialize_unlock = [](void*) { serial.unlock(); };
  static std::atomic<int> blocks;
  blocks = 0;
  server.options.hooks.malloc = [](std::size_t bytes) { return ++blocks, malloc(bytes); };
  server.options.hooks.free = [](void* memory) {
    if (memory != nullptr) --blocks;
    free(memory);
  };
  {
    server.start();
    const phx_ipc_handle a = connect_to(folder), b = connect_to(folder);
    EXPECT_EQ(phx_ipc_call(a, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
    EXPECT_EQ(phx_ipc_call(b, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
    EXPECT_EQ(locks, 2);
    EXPECT_GT(blocks, 4);
    EXPECT_EQ(phx_ipc_disconnect(a), PHX_OK);
    EXPECT_EQ(phx_ipc_disconnect(b), PHX_OK);
    server.stop();
  }
  EXPECT_EQ(blocks, 0);
}

TEST(Server, RefusesAClientThatItHasNoThreadFor) {
  const Folder folder;
  TestServer server(folder);
  server.options.threading = PHX_IPC_THREADS;
  server.start();
  pthread_attr_t usual, huge;
  ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
  ASSERT_EQ(pthread_attr_init(&huge), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 50), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  phx_ipc_handle h = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_NO_MEMORY);
  ASSERT_EQ(pthread_setattr_default_np(&usual), 0);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));  // init() had said yes.
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_OK);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Server, KeepsNothingOfAClientItHasNoMemoryFor) {
  const Folder folder;
  TestServer server(folder);
  static std::atomic<int> blocks;
  static std::atomic<bool> fails;
  blocks = 0, fails = false;
  server.options.hooks.malloc = [](std::size_t bytes) -> void* {
    if (fails && bytes == 32) return nullptr;  // The private bytes.
    return ++blocks, malloc(bytes);
  };
  server.options.hooks.free = [](void* memory) {
    if (memory != nullptr) --blocks;
    free(memory);
  };
  server.options.clients_max = 1;
  server.start();
  const int before = blocks;
  fails = true;
  phx_ipc_handle h = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_NO_MEMORY);
  fails = false;
  EXPECT_TRUE(eventually([&] { return blocks == before; }));
  EXPECT_TRUE(eventually([&] { return try_connect(folder, "test", 1, &h) == PHX_OK; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// poll() of the test's own, through the hooks: what any other loop is to do.
TEST(Server, LivesInALoopOfSomebodyElse) {
  struct Watch {
    short events;
    phx_ipc_ready ready;
    void* data;
  };
  static std::vector<std::pair<int, Watch>> watches;
  watches.clear();
  const auto find = [](int fd) {
    return std::find_if(watches.begin(), watches.end(), [fd](auto& w) { return w.first == fd; });
  };
  static const auto find_watch = find;
  const Folder folder;
  TestServer server(folder);
  server.options.hooks.poll_add = [](void*, int fd, short events, phx_ipc_ready ready, void* data) {
    watches.emplace_back(fd, Watch{events, ready, data});
    return 0;
  };
  server.options.hooks.poll_modify = [](void*, int fd, short events) {
    find_watch(fd)->second.events = events;
    return 0;
  };
  server.options.hooks.poll_destroy = [](void*, int fd) { watches.erase(find_watch(fd)); };
  ASSERT_EQ(phx_ipc_server_create("test", &server.options, &server.server), PHX_OK);
  EXPECT_EQ(phx_ipc_server_turn(server.server, 0), PHX_NOT_SUPPORTED);
  std::atomic<bool> done{false};
  std::thread client([&] {
    const phx_ipc_handle h = connect_to(folder);
    for (int i = 0; i < 200; ++i)
      ASSERT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
    std::vector<phx_ipc_item> items(1000, {.id = kCount, .data = "", .bytes = 0});
    std::size_t accepted = 0;
    EXPECT_EQ(phx_ipc_post_batch(h, items.data(), items.size(), &accepted), PHX_OK);
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
    done = true;
  });
  while (!done || server.exited == 0) {
    std::vector<pollfd> fds;
    fds.reserve(watches.size());
    for (auto& w : watches) fds.push_back({.fd = w.first, .events = w.second.events, .revents = 0});
    poll(fds.data(), fds.size(), 100);
    for (const pollfd& p : fds) {
      const auto w = find(p.fd);
      if (p.revents != 0 && w != watches.end())
        w->second.ready(server.server, p.fd, p.revents, w->second.data);
    }
  }
  client.join();
  EXPECT_EQ(server.counted, 1000);
  EXPECT_EQ(phx_ipc_server_destroy(server.server), PHX_OK);
  EXPECT_TRUE(watches.empty());
}

}  // namespace
}  // namespace phalanx::call
