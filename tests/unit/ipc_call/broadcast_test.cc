#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/unit/ipc_call/fixture.h"
#include "tests/unit/ipc_call/raw_client.h"

namespace phalanx::call {
namespace {

/// Broadcasts `count` events numbered from `first`, waiting where the policy wants it.
void broadcast(phx_ipc_server* server, std::uint32_t first, std::uint32_t count,
               std::size_t bytes = 64) {
  const std::string data(bytes, 'b');
  std::vector<phx_ipc_item> items;
  for (std::uint32_t i = 0; i < count; ++i)
    items.push_back({.id = first + i, .data = data.data(), .bytes = bytes});
  std::size_t done = 0;
  EXPECT_TRUE(eventually([&] {
    std::size_t accepted = 0;
    const phx_status status =
        phx_ipc_broadcast(server, items.data() + done, items.size() - done, &accepted);
    done += accepted;
    return status != PHX_TRY_AGAIN;
  }));
  EXPECT_EQ(done, count);
}

/// Gets `count` events numbered from `first`.
void expect_events(phx_ipc_handle h, std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t next = first; next < first + count;) {
    phx_ipc_event events[16];
    std::size_t got = 0;
    ASSERT_EQ(phx_ipc_get_batch(h, events, 16, &got, 20'000), PHX_OK) << next;
    for (std::size_t i = 0; i < got; ++i) ASSERT_EQ(events[i].id, next++);
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
  }
}

TEST(Broadcast, ReachesEveryReaderInOrderAndNobodyElse) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 8192;
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 60'000;
  server.start();
  const phx_ipc_handle other = connect_to(folder);
  std::vector<std::thread> readers;
  std::atomic<int> there{0};
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&, i] {
      phx_ipc_options options{.broadcast = 1};
      options.wait = i % 2 == 0 ? PHX_IPC_ADAPTIVE : PHX_IPC_SLEEP;
      const phx_ipc_handle h = connect_to(folder, options);
      phx_ipc_flow flow{};
      EXPECT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
      EXPECT_EQ(flow.broadcast_ring_bytes, 8192u);
      ++there;
      expect_events(h, 0, 2000);
      EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
    });
  }
  ASSERT_TRUE(eventually([&] { return there == 4; }));
  broadcast(server.server, 0, 2000);
  for (std::thread& reader : readers) reader.join();
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(other, &event, 0), PHX_TRY_AGAIN);
  EXPECT_EQ(phx_ipc_disconnect(other), PHX_OK);
}

TEST(Broadcast, ComesBesideTheClientsOwnEvents) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 64 << 10;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.broadcast = 1});
  int fd = -1;
  ASSERT_EQ(phx_ipc_fd(h, &fd), PHX_OK);
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_TRY_AGAIN);
  for (int round = 0; round < 20; ++round) {
    broadcast(server.server, 100, 3);
    ASSERT_EQ(phx_ipc_dispatch(server.server, server.last, 7, "own", 3), PHX_OK);
    ASSERT_EQ(poll(&readable, 1, 20'000), 1);
    std::vector<std::uint32_t> ids;
    while (phx_ipc_get(h, &event, 0) == PHX_OK) {
      ids.push_back(event.id);
      EXPECT_EQ(event.bytes, event.id == 7 ? 3u : 64u);
      ASSERT_EQ(phx_ipc_put(h), PHX_OK);
    }
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 7u), 1);
    std::erase(ids, 7u);
    EXPECT_EQ(ids, (std::vector<std::uint32_t>{100, 101, 102}));
    EXPECT_EQ(poll(&readable, 1, 0), 0);
  }
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Broadcast, BatchesAreOfTheLogAndOfTheClientsOwnInTurns) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 64 << 10;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.broadcast = 1});
  constexpr std::uint32_t kOwn = 7;
  broadcast(server.server, 100, 100);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(phx_ipc_dispatch(server.server, server.last, kOwn, "own", 3), PHX_OK);
  int own = 0, all = 0;
  std::uint32_t next = 100;
  while (all < 200) {
    phx_ipc_event events[16];
    std::size_t got = 0;
    ASSERT_EQ(phx_ipc_get_batch(h, events, 16, &got, 20'000), PHX_OK);
    for (std::size_t i = 0; i < got; ++i) {
      if (events[i].id == kOwn) {
        ++own;
      } else {
        ASSERT_EQ(events[i].id, next++);
      }
    }
    all += static_cast<int>(got);
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
    if (all == 64) {
      EXPECT_EQ(own, 32) << "neither waits for all of the other";
    }
  }
  EXPECT_EQ(own, 100);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Broadcast, MisuseIsTold) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  std::size_t accepted = 9;
  const phx_ipc_item item{.id = 1, .data = "x", .bytes = 1};
  EXPECT_EQ(phx_ipc_broadcast(server.server, &item, 1, &accepted), PHX_NOT_SUPPORTED);
  EXPECT_EQ(accepted, 0u);
  const phx_ipc_handle h = connect_to(folder, {.broadcast = 1});  // There is none: fine.
  phx_ipc_flow flow{};
  EXPECT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.broadcast_ring_bytes, 0u);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  server.stop();

  server.options.broadcast_bytes = 4096;
  server.start();
  const std::string large(4096 / 2, 'x');
  const phx_ipc_item items[3] = {
      item, {.id = 2, .data = large.data(), .bytes = large.size()}, item};
  const phx_ipc_item nothing{.id = 1, .data = nullptr, .bytes = 1};
  EXPECT_EQ(phx_ipc_broadcast(server.server, items, 3, &accepted), PHX_TOO_BIG);
  EXPECT_EQ(accepted, 1u);
  EXPECT_EQ(phx_ipc_broadcast(server.server, &nothing, 1, &accepted), PHX_INVALID);
  EXPECT_EQ(phx_ipc_broadcast(server.server, nullptr, 1, &accepted), PHX_INVALID);
  EXPECT_EQ(phx_ipc_broadcast(nullptr, &item, 1, &accepted), PHX_INVALID);
  EXPECT_EQ(phx_ipc_broadcast(server.server, &item, 1, nullptr), PHX_INVALID);
}

TEST(Broadcast, EvictsWhoIsTooSlowAndTellsWhatMayBeWrittenOver) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 4096;
  server.start();
  const phx_ipc_handle slow = connect_to(folder, {.broadcast = 1});
  const phx_ipc_handle fast = connect_to(folder, {.broadcast = 1});
  broadcast(server.server, 0, 10);
  phx_ipc_event pinned{};
  ASSERT_EQ(phx_ipc_get(slow, &pinned, 20'000), PHX_OK);
  expect_events(fast, 0, 10);
  for (std::uint32_t first = 10; first < 200; first += 10) {
    broadcast(server.server, first, 10);
    expect_events(fast, first, 10);
  }
  EXPECT_EQ(phx_ipc_put(slow), PHX_EVICTED);
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(slow, &event, -1), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_put(slow), PHX_NOT_PINNED);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  EXPECT_EQ(phx_ipc_disconnect(slow), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(fast), PHX_OK);
}

TEST(Broadcast, ThrottlesAndCallsBackWhenThereIsRoom) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 4096;
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 60'000;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.broadcast = 1});
  const std::string data(64, 'b');
  const phx_ipc_item item{.id = 5, .data = data.data(), .bytes = data.size()};
  std::size_t accepted = 0;
  int sent = 0;
  while (phx_ipc_broadcast(server.server, &item, 1, &accepted) == PHX_OK) ++sent;
  EXPECT_EQ(phx_ipc_broadcast(server.server, &item, 1, &accepted), PHX_TRY_AGAIN);
  EXPECT_EQ(sent, 4096 / 80);
  phx_ipc_flow flow{};
  EXPECT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_NE(flow.flow_control, 0);
  EXPECT_EQ(flow.broadcast_queued_bytes, sent * 80u);
  EXPECT_EQ(server.rooms, 0);
  for (int i = 0; i < sent; ++i) {
    phx_ipc_event event{};
    ASSERT_EQ(phx_ipc_get(h, &event, 0), PHX_OK);
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
  }
  EXPECT_TRUE(eventually([&] { return server.rooms > 0; }));
  EXPECT_EQ(phx_ipc_broadcast(server.server, &item, 1, &accepted), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Broadcast, ThrottlingEndsInEvictionWithoutProgress) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 4096;
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 50;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.broadcast = 1});
  broadcast(server.server, 0, 200);
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, -1), PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

/// A reader that speaks the handshake alone.
class RawReader {
 public:
  explicit RawReader(const Folder& folder)
      : client_(std::string(folder.path()) + "/ipc/test.sock", request()) {}
  [[nodiscard]] RawClient& client() { return client_; }

 private:
  static ConnectRequest request() {
    ConnectRequest r;
    r.service = kService;
    r.flags = kBroadcast;
    r.request_bytes = r.response_bytes = r.dispatch_bytes = 4096;
    r.message_bytes_max = 100;
    r.outstanding_max = 1;
    return r;
  }
  RawClient client_;
};

TEST(HostileReader, IsCutOffAloneForAPositionThatCannotBe) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 4096;
  server.start();
  const phx_ipc_handle bystander = connect_to(folder, {.broadcast = 1});
  std::uint32_t next = 0;
  const auto pass = [&](std::uint32_t count) {
    broadcast(server.server, next, count);
    expect_events(bystander, next, count);
    next += count;
  };
  for (const std::uint64_t lie :
       {std::uint64_t{4}, ~std::uint64_t{0}, std::uint64_t{1} << 40, std::uint64_t{1} << 63}) {
    RawReader reader(folder);
    ASSERT_TRUE(reader.client().good());
    pass(10);
    std::uint64_t& head = reader.client().page().broadcast_head.position;
    std::atomic_ref(head).store(head + lie);
    for (int i = 0; i < 10; ++i) pass(10);  // Until the writer has to look.
    EXPECT_TRUE(reader.client().is_cut_off()) << lie;
    EXPECT_EQ(reader.client().page().state, static_cast<std::uint32_t>(State::Broken)) << lie;
  }
  EXPECT_EQ(phx_ipc_call(bystander, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(bystander), PHX_OK);
}

TEST(HostileReader, CannotWriteIntoTheLog) {
  const Folder folder;
  TestServer server(folder);
  server.options.broadcast_bytes = 4096;
  server.start();
  RawReader reader(folder);
  ASSERT_TRUE(reader.client().good());
  const int log = reader.client().log();
  ASSERT_GE(log, 0);
  EXPECT_EQ(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, log, 0), MAP_FAILED);
  EXPECT_LT(pwrite(log, "x", 1, 0), 0);
  EXPECT_LT(ftruncate(log, 0), 0);
  EXPECT_LT(fallocate(log, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
  // Nor through a descriptor that is opened anew.
  const std::string path = "/proc/self/fd/" + std::to_string(log);
  const int again = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (again >= 0) {
    EXPECT_EQ(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
    EXPECT_LT(pwrite(again, "x", 1, 0), 0);
    close(again);
  }
  void* read_only = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, log, 0);
  ASSERT_NE(read_only, MAP_FAILED);
  EXPECT_NE(mprotect(read_only, 8192, PROT_READ | PROT_WRITE), 0);
  munmap(read_only, 8192);
}

}  // namespace
}  // namespace phalanx::call
