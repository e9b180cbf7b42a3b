#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

phx_status try_connect(const Folder& folder, const char* name, std::uint32_t service,
                       phx_ipc_handle* handle, int timeout_ms = 5000) {
  const phx_ipc_options options{.struct_bytes = sizeof options,
                                .runtime_directory = folder.path(),
                                .connect_timeout_ms = timeout_ms};
  return phx_ipc_connect(name, service, &options, handle);
}

TEST(Connect, SaysWhyNot) {
  const Folder folder;
  phx_ipc_handle h = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_NOT_RUNNING);
  for (const char* name :
       {"", ".x", "a b", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg"})
    EXPECT_EQ(try_connect(folder, name, 1, &h), PHX_BAD_NAME) << name;
  EXPECT_EQ(phx_ipc_connect(nullptr, 1, nullptr, &h), PHX_INVALID);
  EXPECT_EQ(phx_ipc_connect("test", 1, nullptr, nullptr), PHX_INVALID);
  const phx_ipc_options wrong{.struct_bytes = 1};
  EXPECT_EQ(phx_ipc_connect("test", 1, &wrong, &h), PHX_INVALID);

  TestServer server(folder);
  server.start();
  EXPECT_EQ(try_connect(folder, "test", 2, &h), PHX_NOT_SUPPORTED);
  server.on_init = [](phx_ipc_connection) { return PHX_NOT_QUORATE; };
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_NOT_QUORATE);
  EXPECT_EQ(server.exited, 0);
  EXPECT_EQ(h, 0u);
}

TEST(Connect, AsksSecurityAndAvailabilityFirst) {
  const Folder folder;
  TestServer server(folder);
  static std::atomic<int> allowed, available;
  static std::atomic<uid_t> uid;
  allowed = 0, available = 1;
  server.options.hooks.security_valid = [](void*, uid_t u, gid_t) {
    uid = u;
    return allowed.load();
  };
  server.options.hooks.service_available = [](void*, std::uint32_t) { return available.load(); };
  server.start();
  phx_ipc_handle h = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_ACCESS);
  EXPECT_EQ(uid, geteuid());
  allowed = 1, available = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &h, 100), PHX_TRY_AGAIN);
  EXPECT_EQ(server.connected, 0);
  available = 1;
  EXPECT_EQ(try_connect(folder, "test", 1, &h), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  // A try that was given up too early on a busy machine may have become a connection as well.
  EXPECT_GE(server.connected, 1);
  EXPECT_TRUE(eventually([&] { return server.exited == server.connected; }));
}

TEST(Connect, CountsClientsOfAUser) {
  const Folder folder;
  TestServer server(folder);
  server.options.clients_per_user_max = 2;
  server.start();
  phx_ipc_handle a = 0, b = 0, c = 0;
  EXPECT_EQ(try_connect(folder, "test", 1, &a), PHX_OK);
  EXPECT_EQ(try_connect(folder, "test", 1, &b), PHX_OK);
  EXPECT_EQ(try_connect(folder, "test", 1, &c), PHX_LIMIT);
  EXPECT_EQ(phx_ipc_disconnect(a), PHX_OK);
  EXPECT_TRUE(eventually([&] { return try_connect(folder, "test", 1, &c) == PHX_OK; }));
  EXPECT_EQ(phx_ipc_disconnect(b), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(c), PHX_OK);
}

TEST(Disconnect, IsCompleteWhenTheLastReferenceGoes) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  phx_ipc_reply reply{};
  char text[] = "pinned";
  const iovec part{text, 6};
  ASSERT_EQ(phx_ipc_call_pinned(h, kEcho, &part, 1, 0, &reply, 5000), PHX_OK);
  ASSERT_EQ(phx_ipc_dispatch(server.server, server.last, 1, "event", 5), PHX_OK);
  phx_ipc_event event{};
  ASSERT_EQ(phx_ipc_get(h, &event, 5000), PHX_OK);

  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_BAD_HANDLE);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 0), PHX_BAD_HANDLE);
  EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_BAD_HANDLE);
  EXPECT_EQ(std::string(static_cast<const char*>(reply.data), reply.bytes), "pinned");
  EXPECT_EQ(std::string(static_cast<const char*>(event.data), event.bytes), "event");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(server.exited, 0);

  EXPECT_EQ(phx_ipc_reply_release(h, &reply), PHX_OK);
  EXPECT_EQ(server.exited, 0);
  EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  EXPECT_EQ(phx_ipc_put(h), PHX_BAD_HANDLE);
}

TEST(Disconnect, EndsTheCallsThatWaitInOtherThreads) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  for (const phx_ipc_wait wait : {PHX_IPC_ADAPTIVE, PHX_IPC_SLEEP, PHX_IPC_POLL}) {
    const phx_ipc_handle h = connect_to(folder, {.wait = wait});
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([h] {
        EXPECT_EQ(phx_ipc_call(h, kLater, "", 0, nullptr, 0, nullptr, -1), PHX_BAD_HANDLE);
      });
    }
    threads.emplace_back([h] {
      phx_ipc_event event{};
      EXPECT_EQ(phx_ipc_get(h, &event, -1), PHX_BAD_HANDLE);
    });
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard guard(server.mutex);
      return server.later.size() == 3;
    }));
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
    for (std::thread& t : threads) t.join();
    const std::lock_guard guard(server.mutex);
    server.later.clear();
  }
  EXPECT_TRUE(eventually([&] { return server.exited == 3; }));
}

TEST(Fork, TakesHandlesAndServersFromTheChildAlone) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  phx_ipc_room room{kCount, 8, nullptr};
  std::size_t count = 0;
  ASSERT_EQ(phx_ipc_reserve(h, &room, 1, &count, 0), PHX_OK);
  const pid_t child = fork();
  if (child == 0) {
    const bool refused = phx_ipc_commit(h, &room, 1) == PHX_FORKED &&
                         phx_ipc_reserve(h, &room, 1, &count, 0) == PHX_FORKED &&
                         phx_ipc_broadcast(server.server, nullptr, 0, &count) == PHX_FORKED &&
                         phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 0) == PHX_FORKED &&
                         phx_ipc_disconnect(h) == PHX_FORKED && phx_ipc_put(h) == PHX_FORKED &&
                         phx_ipc_server_destroy(server.server) == PHX_FORKED &&
                         phx_ipc_dispatch(server.server, server.last, 0, "", 0) == PHX_FORKED;
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(phx_ipc_commit(h, &room, 1), PHX_OK);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

// Whatever the child keeps would hold the name, and the connections, after the server went.
TEST(Fork, LeavesTheChildNoDescriptor) {
  const Folder folder;
  int forked[2] = {-1, -1};  // A byte once the child has given up what it does.
  ASSERT_EQ(pipe(forked), 0);
  const std::size_t before = open_descriptors();
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  // Served: the server is done with what it handed out.
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  const pid_t child = fork();
  if (child == 0) {
    if (open_descriptors() != before || write(forked[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(forked[1]);
  char byte = 0;
  EXPECT_EQ(read(forked[0], &byte, 1), 1);
  close(forked[0]);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  server.stop();
  TestServer next(folder);
  next.start();
  const phx_ipc_handle other = connect_to(folder);
  EXPECT_EQ(phx_ipc_call(other, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(other), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0) << "it kept some";
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
}

}  // namespace
}  // namespace phalanx::call
