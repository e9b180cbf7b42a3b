#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <chrono>
#include <cstring>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

void ask_for_events(phx_ipc_handle h, std::uint32_t count, std::uint32_t bytes) {
  const std::uint32_t wanted[2] = {count, bytes};
  ASSERT_EQ(phx_ipc_call(h, kEvents, wanted, sizeof wanted, nullptr, 0, nullptr, 5000), PHX_OK);
}

bool readable(int fd) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&p, 1, 0) == 1;
}

TEST(Dispatch, PinsEventsInPlaceAcrossTheRingsEnd) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h =
      connect_to(folder, {.dispatch_ring_bytes = 4096, .message_bytes_max = 1500});
  for (int round = 0; round < 50; ++round) {
    ask_for_events(h, 2, 1500);
    for (std::uint32_t i = 0; i < 2; ++i) {
      phx_ipc_event event{};
      ASSERT_EQ(phx_ipc_get(h, &event, 5000), PHX_OK);
      EXPECT_EQ(event.id, i);
      EXPECT_EQ(std::string(static_cast<const char*>(event.data), event.bytes),
                std::string(1500, 'e'));
      ASSERT_EQ(phx_ipc_put(h), PHX_OK);
    }
  }
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Dispatch, SendsFromInitToo) {
  const Folder folder;
  TestServer server(folder);
  server.on_init = [&](phx_ipc_connection c) {
    EXPECT_EQ(phx_ipc_dispatch(server.server, c, 3, "first", 5), PHX_OK);
    return phx_ipc_dispatch(server.server, c, 4, "second", 6);
  };
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  int fd = -1;
  ASSERT_EQ(phx_ipc_fd(h, &fd), PHX_OK);
  EXPECT_TRUE(eventually([&] { return readable(fd); }));
  for (const std::uint32_t id : {3u, 4u}) {
    phx_ipc_event event{};
    ASSERT_EQ(phx_ipc_get(h, &event, 5000), PHX_OK);
    EXPECT_EQ(event.id, id);
    EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  }
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Dispatch, SaysWhetherItWaited) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_TRY_AGAIN);
  EXPECT_EQ(phx_ipc_get(h, &event, 20), PHX_TIMED_OUT);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(phx_ipc_dispatch(server.server, server.last, 9, "late", 4), PHX_OK);
  });
  EXPECT_EQ(phx_ipc_get(h, &event, -1), PHX_OK);  // Without the descriptor.
  EXPECT_EQ(event.id, 9u);
  EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  other.join();
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Dispatch, DescriptorIsReadableExactlyWhenAGetIsWorthwhile) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  int fd = -1;
  ASSERT_EQ(phx_ipc_fd(h, &fd), PHX_OK);
  EXPECT_FALSE(readable(fd));
  for (int round = 0; round < 20; ++round) {
    ask_for_events(h, 3, 10);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(readable(fd));
      phx_ipc_event event{};
      ASSERT_EQ(phx_ipc_get(h, &event, 0), PHX_OK);
      ASSERT_EQ(phx_ipc_put(h), PHX_OK);
    }
    phx_ipc_event event{};
    EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_TRY_AGAIN);
    EXPECT_FALSE(readable(fd));
  }
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

/// The server's end of the only connection: the descriptor that has the listener's name and does
/// not listen.
int server_end() {
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_un name{};
    socklen_t bytes = sizeof name;
    int listens = 1;
    socklen_t size = sizeof listens;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bytes) == 0 &&
        name.sun_family == AF_UNIX && std::strstr(name.sun_path, "test.sock") != nullptr &&
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 0) {
      return fd;
    }
  }
  return -1;
}

TEST(Dispatch, SleepsOnAfterAByteWithoutAnEvent) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.wait = PHX_IPC_SLEEP});
  const int other = server_end();
  ASSERT_GE(other, 0);
  ASSERT_EQ(send(other, "x", 1, MSG_NOSIGNAL), 1);
  timespec before{}, after{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, 200), PHX_TIMED_OUT);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  const auto used =
      (after.tv_sec - before.tv_sec) * 1'000'000'000L + after.tv_nsec - before.tv_nsec;
  EXPECT_LT(used, 20'000'000);

  int fd = -1;
  ASSERT_EQ(phx_ipc_fd(h, &fd), PHX_OK);
  ASSERT_EQ(send(other, "x", 1, MSG_NOSIGNAL), 1);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_TRY_AGAIN);
  EXPECT_FALSE(readable(fd));
  EXPECT_EQ(phx_ipc_dispatch(server.server, server.last, 1, "", 0), PHX_OK);
  EXPECT_TRUE(readable(fd));
  EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_OK);
  EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Dispatch, IsOneThreadsBusinessAtATime) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  ask_for_events(h, 2, 8);
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_put(h), PHX_NOT_PINNED);
  ASSERT_EQ(phx_ipc_get(h, &event, 0), PHX_OK);
  EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_PINNED);
  std::thread([&] {
    phx_ipc_event other{};
    EXPECT_EQ(phx_ipc_get(h, &other, 0), PHX_WRONG_THREAD);
    EXPECT_EQ(phx_ipc_put(h), PHX_WRONG_THREAD);
  }).join();
  EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  EXPECT_EQ(phx_ipc_put(h), PHX_NOT_PINNED);
  std::thread([&] {
    phx_ipc_event other{};
    EXPECT_EQ(phx_ipc_get(h, &other, 0), PHX_OK);
    EXPECT_EQ(phx_ipc_put(h), PHX_OK);
  }).join();
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Dispatch, PinsABatchAndGivesItBackAtOnce) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.dispatch_ring_bytes = 4096});
  phx_ipc_event events[8] = {};
  std::size_t count = 0;
  EXPECT_EQ(phx_ipc_get_batch(h, events, 8, &count, 0), PHX_TRY_AGAIN);
  EXPECT_EQ(phx_ipc_get_batch(h, events, 0, &count, 0), PHX_INVALID);
  for (int round = 0; round < 40; ++round) {
    ask_for_events(h, 10, 200);
    ASSERT_EQ(phx_ipc_get_batch(h, events, 8, &count, 5000), PHX_OK);
    ASSERT_EQ(count, 8u);
    for (std::uint32_t i = 0; i < 8; ++i) {
      EXPECT_EQ(events[i].id, i);
      EXPECT_EQ(std::string(static_cast<const char*>(events[i].data), events[i].bytes),
                std::string(200, 'e'));
    }
    EXPECT_EQ(phx_ipc_get_batch(h, events, 8, &count, 0), PHX_PINNED);
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
    ASSERT_EQ(phx_ipc_get_batch(h, events, 8, &count, 5000), PHX_OK);
    EXPECT_EQ(count, 2u);
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
    EXPECT_EQ(phx_ipc_put(h), PHX_NOT_PINNED);
  }
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Dispatch, QueueLengthsAreSeenByBothSides) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.dispatch_ring_bytes = 4096});
  ask_for_events(h, 4, 100);
  phx_ipc_flow flow{};
  ASSERT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.dispatch_ring_bytes, 4096u);
  EXPECT_EQ(flow.dispatch_queued_bytes, 4u * 120);
  EXPECT_EQ(flow.flow_control, 0);
  phx_ipc_client_info info{};
  ASSERT_EQ(phx_ipc_client(server.server, server.last, &info), PHX_OK);
  EXPECT_EQ(info.dispatch_queued_bytes, 4u * 120);
  EXPECT_EQ(info.pid, getpid());
  EXPECT_EQ(info.service, kService);
  EXPECT_EQ(info.handled, 1u);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

}  // namespace
}  // namespace phalanx::call
