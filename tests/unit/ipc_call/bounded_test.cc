#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

phx_status ask_for_events(phx_ipc_handle h, std::uint32_t count, std::uint32_t bytes) {
  const std::uint32_t wanted[2] = {count, bytes};
  return phx_ipc_call(h, kEvents, wanted, sizeof wanted, nullptr, 0, nullptr, 5000);
}

std::size_t resident_pages() {
  std::size_t all = 0, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  EXPECT_EQ(fscanf(file, "%zu %zu", &all, &resident), 2);
  fclose(file);
  return resident;
}

/// A client in a process of its own. The child runs `work` and never returns.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    pid_ = fork();
    if (pid_ == 0) {
      work();
      _exit(0);
    }
  }
  ~Child() {
    if (pid_ > 0) end();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void signal(int number) const { kill(pid_, number); }
  void end() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

TEST(Evict, CutsASlowReaderOffAfterWhatIsQueued) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle slow = connect_to(folder, {.dispatch_ring_bytes = 4096});
  const phx_ipc_connection of_slow = server.last;
  const phx_ipc_handle other = connect_to(folder);

  int sent = 0;
  phx_status status = PHX_OK;
  for (; status == PHX_OK; ++sent)
    status =
        phx_ipc_dispatch(server.server, of_slow, static_cast<std::uint32_t>(sent), "12345678", 8);
  EXPECT_EQ(status, PHX_EVICTED);
  EXPECT_EQ(sent - 1, 4096 / 24);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  EXPECT_EQ(phx_ipc_dispatch(server.server, of_slow, 0, "", 0), PHX_BAD_HANDLE);

  EXPECT_EQ(phx_ipc_call(other, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  phx_ipc_event event{};
  for (int i = 0; i < sent - 1; ++i) {
    ASSERT_EQ(phx_ipc_get(slow, &event, 5000), PHX_OK);
    EXPECT_EQ(event.id, static_cast<std::uint32_t>(i));
    ASSERT_EQ(phx_ipc_put(slow), PHX_OK);
  }
  EXPECT_EQ(phx_ipc_get(slow, &event, 5000), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_call(slow, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(slow), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(other), PHX_OK);
}

TEST(Log, MayAskAboutTheClientAndIsNotTheClientsToFill) {
  const Folder folder;
  TestServer server(folder);
  static std::atomic<int> evictions, unknown;
  evictions = 0, unknown = 0;
  server.options.hooks.log = [](void* context, int, const char* text) {
    auto& self = *static_cast<TestServer*>(context);
    phx_ipc_client_info info{};
    EXPECT_EQ(phx_ipc_client(self.server, self.last, &info), PHX_OK);
    if (std::strstr(text, "evicted") != nullptr) ++evictions;
    if (std::strstr(text, "has not") != nullptr) ++unknown;
  };
  // Driven from here: nobody ends the connection while the log asks about it.
  ASSERT_EQ(phx_ipc_server_create("test", &server.options, &server.server), PHX_OK);
  std::atomic<bool> posted{false};
  std::atomic<phx_ipc_handle> h{0};
  std::thread client([&] {
    h = connect_to(folder, {.dispatch_ring_bytes = 4096});
    for (int i = 0; i < 100; ++i) EXPECT_EQ(phx_ipc_post(h, 50, nullptr, 0, 5000), PHX_OK);
    EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
    posted = true;
  });
  while (!posted) (void)phx_ipc_server_turn(server.server, 1);
  client.join();
  EXPECT_EQ(unknown, 1);
  phx_status status = PHX_OK;
  while (status == PHX_OK) status = phx_ipc_dispatch(server.server, server.last, 0, "", 0);
  EXPECT_EQ(status, PHX_EVICTED);
  EXPECT_EQ(evictions, 1);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  EXPECT_EQ(phx_ipc_server_destroy(server.server), PHX_OK);
}

// The server holds posts back, so that the ring fills; who waits for room sleeps until it is woken.
TEST(Quota, WakesASenderThatWaitsForRoom) {
  const Folder folder;
  TestServer server(folder);
  server.may_send = 0;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.request_ring_bytes = 4096, .wait = PHX_IPC_SLEEP});
  int sent = 0;
  while (phx_ipc_post(h, kGuardedCount, nullptr, 0, 0) == PHX_OK) ++sent;
  EXPECT_EQ(sent, 4096 / 24);
  EXPECT_EQ(phx_ipc_post(h, kGuardedCount, nullptr, 0, 20), PHX_TIMED_OUT);
  phx_ipc_flow flow{};
  EXPECT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.request_queued_bytes, std::size_t{4096 / 24} * 24);
  std::atomic<int> through{0};
  std::vector<std::thread> senders;
  senders.reserve(3);
  for (int i = 0; i < 3; ++i) {
    senders.emplace_back([&] {
      EXPECT_EQ(phx_ipc_post(h, kGuardedCount, nullptr, 0, -1), PHX_OK);
      ++through;
    });
  }
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(through, 0);
  server.may_send = 1;
  EXPECT_EQ(phx_ipc_server_resume(server.server), PHX_OK);
  for (std::thread& t : senders) t.join();
  EXPECT_TRUE(eventually([&] { return server.counted == sent + 3; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// Replies of a call are bounded by 64 KiB here, and the ring has 256 KiB. What is pinned at its
// start keeps the client from giving any of it back: the room is of replies that turn out short.
TEST(Quota, BeginsACallWhenAShortReplyLeavesRoom) {
  for (const phx_ipc_threading threading : {PHX_IPC_LOOP, PHX_IPC_THREADS}) {
    const Folder folder;
    TestServer server(folder);
    server.options.threading = threading;
    server.start();
    const phx_ipc_handle h = connect_to(folder);
    const auto begun = [&] {
      const std::lock_guard guard(server.mutex);
      return server.later.size();
    };
    std::vector<std::thread> callers;
    callers.reserve(5);
    std::atomic<int> done{0};
    for (int i = 0; i < 5; ++i) {
      callers.emplace_back([&] {
        phx_ipc_reply reply{};
        EXPECT_EQ(phx_ipc_call_pinned(h, kLater, nullptr, 0, 0, &reply, 10'000), PHX_OK);
        if (++done < 5) (void)eventually([&] { return done == 5; });
        EXPECT_EQ(phx_ipc_reply_release(h, &reply), PHX_OK);
      });
    }
    EXPECT_TRUE(eventually([&] { return begun() == 3; }));
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(begun(), 3u);
    server.answer_all();
    EXPECT_TRUE(eventually([&] { return begun() == 2; }));
    server.answer_all();
    for (std::thread& t : callers) t.join();
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  }
}

TEST(Quota, BoundsWhatAClientMayAskFor) {
  const Folder folder;
  TestServer server(folder);
  server.options.ring_bytes_max = 8192;
  server.options.message_bytes_max = 1000;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.request_ring_bytes = 1u << 30,
                                               .dispatch_ring_bytes = 1u << 30,
                                               .message_bytes_max = 1u << 30});
  phx_ipc_flow flow{};
  ASSERT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.request_ring_bytes, 8192u);
  EXPECT_EQ(flow.dispatch_ring_bytes, 8192u);
  const std::string big(1001, 'x');
  EXPECT_EQ(phx_ipc_call(h, kEcho, big.data(), big.size(), nullptr, 0, nullptr, 0), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_dispatch(server.server, server.last, 0, big.data(), big.size()), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// A stopped process neither delays the others nor makes the server grow.
TEST(StoppedClient, CostsTheOthersNothing) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const Child stopped([&] {
    const phx_ipc_handle h = connect_to(folder);
    for (;;) (void)phx_ipc_post(h, kCount, nullptr, 0, -1);
  });
  ASSERT_TRUE(eventually([&] { return server.counted > 1000; }));
  const phx_ipc_connection of_stopped = server.last;
  stopped.signal(SIGSTOP);

  const phx_ipc_handle h = connect_to(folder);
  ASSERT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  const std::size_t before = resident_pages();
  const std::string kilobyte(1024, 'k');
  phx_status status = PHX_OK;
  int sent = 0;
  for (; status == PHX_OK; ++sent) {
    const auto start = steady_clock::now();
    status = phx_ipc_dispatch(server.server, of_stopped, 0, kilobyte.data(), kilobyte.size());
    EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
    ASSERT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  }
  EXPECT_EQ(status, PHX_EVICTED);
  EXPECT_LT(sent, 300);
  EXPECT_LT(resident_pages(), before + 1024);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// Killed in the middle of whatever it did, a hundred times.
TEST(KilledClient, LeavesNothingBehind) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  for (int i = 0; i < 100; ++i) {
    const int counted = server.counted;
    Child client([&] {
      const phx_ipc_handle mine = connect_to(folder, {.request_ring_bytes = 4096});
      for (;;) {
        (void)phx_ipc_post(mine, kCount, nullptr, 0, -1);
        char reply = 0;
        (void)phx_ipc_call(mine, kEcho, "x", 1, &reply, 1, nullptr, -1);
        (void)ask_for_events(mine, 1, 8);
        phx_ipc_event event{};
        if (phx_ipc_get(mine, &event, -1) == PHX_OK) (void)phx_ipc_put(mine);
      }
    });
    ASSERT_TRUE(eventually([&] { return server.counted > counted + i % 10; }));
    client.end();
    ASSERT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  }
  EXPECT_TRUE(eventually([&] { return server.exited == 100; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(KilledServer, IsToldToWhoeverWaits) {
  const Folder folder;
  for (const phx_ipc_wait wait : {PHX_IPC_ADAPTIVE, PHX_IPC_SLEEP, PHX_IPC_POLL}) {
    // A server that was killed leaves its socket; the next one takes the name over.
    Child child([&] {
      TestServer server(folder);
      if (phx_ipc_server_create("test", &server.options, &server.server) != PHX_OK) _exit(1);
      (void)phx_ipc_server_run(server.server);
    });
    phx_ipc_handle h = 0;
    ASSERT_TRUE(eventually([&] {
      const phx_ipc_options options{
          .struct_bytes = sizeof options, .runtime_directory = folder.path(), .wait = wait};
      return phx_ipc_connect("test", kService, &options, &h) == PHX_OK;
    }));
    std::thread caller([h] {
      EXPECT_EQ(phx_ipc_call(h, kLater, "", 0, nullptr, 0, nullptr, 20'000), PHX_DISCONNECTED);
    });
    std::thread getter([h] {
      phx_ipc_event event{};
      EXPECT_EQ(phx_ipc_get(h, &event, 20'000), PHX_DISCONNECTED);
    });
    std::this_thread::sleep_for(milliseconds(20));
    const auto start = steady_clock::now();
    child.end();
    caller.join();
    getter.join();
    EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  }
}

}  // namespace
}  // namespace phalanx::call
