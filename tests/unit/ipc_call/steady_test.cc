#include <linux/seccomp.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

constexpr int kRounds = 2000;
constexpr int kEach = 16;

/// Posts, batches, messages built in place, buffers and events, handled by the same thread. False:
/// some call failed.
bool pass_messages(phx_ipc_server* server, phx_ipc_connection connection, phx_ipc_handle h,
                   phx_ipc_buffer buffer) {
  char bytes[64] = {};
  const iovec part{bytes, sizeof bytes};
  phx_ipc_item items[kEach];
  for (phx_ipc_item& item : items) item = {.id = kCount, .data = bytes, .bytes = sizeof bytes};
  for (int round = 0; round < kRounds; ++round) {
    std::size_t count = 0;
    for (int i = 0; i < kEach; ++i) {
      if (phx_ipc_post(h, kCount, &part, 1, -1) != PHX_OK) return false;
      if (phx_ipc_dispatch(server, connection, 1, bytes, sizeof bytes) != PHX_OK) return false;
    }
    if (phx_ipc_post_batch(h, items, kEach, &count) != PHX_OK) return false;
    phx_ipc_room rooms[kEach];
    for (phx_ipc_room& room : rooms) room = {.id = kCount, .bytes = sizeof bytes, .data = nullptr};
    if (phx_ipc_reserve(h, rooms, kEach, &count, -1) != PHX_OK || count != kEach) return false;
    for (phx_ipc_room& room : rooms) std::memcpy(room.data, bytes, sizeof bytes);
    if (phx_ipc_commit(h, rooms, kEach) != PHX_OK) return false;
    if (phx_ipc_buffer_post(h, kCount, buffer, 1000, -1) != PHX_OK) return false;
    if (phx_ipc_broadcast(server, items, kEach, &count) != PHX_OK) return false;
    if (phx_ipc_server_poll(server, &count) != PHX_OK || count != 3 * kEach + 1) return false;
    phx_ipc_event event{};
    for (int i = 0; i < 2 * kEach; ++i) {
      if (phx_ipc_get(h, &event, -1) != PHX_OK || phx_ipc_put(h) != PHX_OK) return false;
    }
  }
  return true;
}

/// In a process of its own: its exit status, or the signal that the kernel sent.
void run_alone(const Folder& folder) {
  TestServer server(folder);
  server.options.broadcast_bytes = 64 << 10;
  server.start();
  const phx_ipc_handle h =
      connect_to(folder, {.buffer_bytes = 4096, .wait = PHX_IPC_POLL, .broadcast = 1});
  phx_ipc_buffer buffer = 0;
  void* data = nullptr;
  if (phx_ipc_buffer_alloc(h, 1000, &buffer, &data) != PHX_OK) _exit(2);
  server.join();
  // The first round may still have the loop's wake in it.
  if (!pass_messages(server.server, server.last, h, buffer)) _exit(3);
  const std::size_t before = mallinfo2().uordblks;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(4);
  const bool passed = pass_messages(server.server, server.last, h, buffer);
  const bool allocated = mallinfo2().uordblks != before;
  syscall(SYS_exit, !passed ? 5 : allocated ? 6 : 0);
}

// From the second mode of seccomp on any system call but read, write and exit is the end.
TEST(SteadyState, MakesNoSystemCallAndAllocatesNothing) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a sanitizer makes calls of its own";
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer makes calls of its own";
#endif
#endif
  const Folder folder;
  const pid_t child = fork();
  if (child == 0) run_alone(folder);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Threads, HaveTheirPolicyAndPriority) {
  const Folder folder;
  TestServer server(folder);
  server.options.threading = PHX_IPC_THREADS;
  server.options.thread_policy = SCHED_BATCH;
  static std::atomic<int> policy;
  policy = -1;
  server.options.hooks.serialize_lock = [](void*) { policy = sched_getscheduler(0); };
  server.options.hooks.serialize_unlock = [](void*) {};
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  EXPECT_EQ(policy, SCHED_BATCH);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

}  // namespace
}  // namespace phalanx::call
