#include <chrono>
#include <string>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

using std::chrono::milliseconds;

phx_status ask_for_events(phx_ipc_handle h, std::uint32_t count, std::uint32_t bytes) {
  const std::uint32_t wanted[2] = {count, bytes};
  return phx_ipc_call(h, kEvents, wanted, sizeof wanted, nullptr, 0, nullptr, 5000);
}

TEST(Throttle, TellsBothSidesAndCallsBackWhenThereIsRoom) {
  const Folder folder;
  TestServer server(folder);
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 60'000;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.dispatch_ring_bytes = 4096});
  phx_ipc_flow flow{};
  EXPECT_EQ(ask_for_events(h, 1000, 8), PHX_OK);
  EXPECT_EQ(server.last_dispatch, PHX_TRY_AGAIN);
  ASSERT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.flow_control, 1);
  EXPECT_EQ(server.rooms, 0);

  phx_ipc_event event{};
  int got = 0;
  while (phx_ipc_get(h, &event, got < 4096 / 24 ? 5000 : 0) == PHX_OK) {
    ++got;
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
  }
  EXPECT_EQ(got, 4096 / 24);
  EXPECT_TRUE(eventually([&] { return server.rooms == 1; }));
  ASSERT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.flow_control, 0);
  EXPECT_EQ(ask_for_events(h, 10, 8), PHX_OK);
  EXPECT_EQ(server.last_dispatch, PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Throttle, EndsInEvictionWithoutProgress) {
  const Folder folder;
  TestServer server(folder);
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 300;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.dispatch_ring_bytes = 4096});
  EXPECT_EQ(ask_for_events(h, 1000, 8), PHX_OK);
  EXPECT_EQ(phx_ipc_dispatch(server.server, server.last, 0, "12345678", 8), PHX_TRY_AGAIN);
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_EQ(phx_ipc_dispatch(server.server, server.last, 0, "12345678", 8), PHX_EVICTED);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

/// A client that keeps the server looking.
class Busy {
 public:
  explicit Busy(const Folder& folder) : handle_(connect_to(folder)) {
    thread_ = std::thread([this] {
      while (!done_)
        EXPECT_EQ(phx_ipc_call(handle_, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
      EXPECT_EQ(phx_ipc_disconnect(handle_), PHX_OK);
    });
  }
  ~Busy() {
    done_ = true;
    thread_.join();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  phx_ipc_handle handle_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

// Events longer than half the ring lie in the bulk ring, which is full while the ring is not.
TEST(Throttle, WaitsForTheRoomThatTheEventNeeds) {
  const Folder folder;
  TestServer server(folder);
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 60'000;
  server.start();
  const Busy busy(folder);
  const phx_ipc_handle h =
      connect_to(folder, {.dispatch_ring_bytes = 4096, .message_bytes_max = 5000});
  EXPECT_EQ(ask_for_events(h, 10, 5000), PHX_OK);
  EXPECT_EQ(server.last_dispatch, PHX_TRY_AGAIN);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(server.rooms, 0);
  phx_ipc_event event{};
  ASSERT_EQ(phx_ipc_get(h, &event, 5000), PHX_OK);
  EXPECT_EQ(event.bytes, 5000u);
  ASSERT_EQ(phx_ipc_put(h), PHX_OK);
  EXPECT_EQ(phx_ipc_get(h, &event, 0), PHX_TRY_AGAIN);
  EXPECT_TRUE(eventually([&] { return server.rooms == 1; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Throttle, EndsInEvictionWhileOthersAreBusy) {
  const Folder folder;
  TestServer server(folder);
  server.options.policy = PHX_IPC_THROTTLE;
  server.options.throttle_max_ms = 300;
  server.start();
  const Busy busy(folder);
  const phx_ipc_handle h =
      connect_to(folder, {.dispatch_ring_bytes = 4096, .message_bytes_max = 5000});
  const phx_ipc_connection c = server.last;
  EXPECT_EQ(ask_for_events(h, 10, 5000), PHX_OK);
  std::this_thread::sleep_for(milliseconds(400));
  const std::string big(5000, 'x');
  EXPECT_EQ(phx_ipc_dispatch(server.server, c, 0, big.data(), big.size()), PHX_EVICTED);
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

/// A handler that fills the dispatch ring, and then waits until the client has read all of it.
struct Filler {
  std::atomic<int> sent{0}, rooms{0}, turns{0};
  std::atomic<bool> full{false}, empty{false};
  static void fill(void* self, phx_ipc_server* server, const phx_ipc_message* m) {
    auto& filler = *static_cast<Filler*>(self);
    while (phx_ipc_dispatch(server, m->connection, 0, "12345678", 8) == PHX_OK) ++filler.sent;
    filler.full = true;
    EXPECT_TRUE(eventually([&] { return filler.empty.load(); }));
  }
  static void room(void* self, phx_ipc_server*, phx_ipc_connection, void*) {
    ++static_cast<Filler*>(self)->rooms;
  }
  void read_all(const Folder& folder) {
    const phx_ipc_handle h = connect_to(folder, {.dispatch_ring_bytes = 4096});
    const iovec part{.iov_base = nullptr, .iov_len = 0};
    // The server is to sleep on its doorbell when the post comes.
    const int before = turns;
    EXPECT_TRUE(eventually([&] { return turns > before + 1; }));
    EXPECT_EQ(phx_ipc_post(h, 0, &part, 1, 5000), PHX_OK);
    EXPECT_TRUE(eventually([&] { return full.load(); }));
    phx_ipc_event event{};
    while (phx_ipc_get(h, &event, 0) == PHX_OK) EXPECT_EQ(phx_ipc_put(h), PHX_OK);
    empty = true;
    EXPECT_TRUE(eventually([&] { return rooms > 0; }));
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  }
};

// The byte that tells of room comes while the server is not asleep, and is not sent again.
TEST(Throttle, CallsBackForRoomThatCameDuringAHandler) {
  const Folder folder;
  Filler filler;
  const phx_ipc_handler handler{.handle = Filler::fill, .flow_control = 0};
  const phx_ipc_service service{.service = kService,
                                .private_bytes = 0,
                                .handlers = &handler,
                                .handler_count = 1,
                                .init = nullptr,
                                .exit = nullptr,
                                .room = Filler::room};
  phx_ipc_server_options options{};
  options.struct_bytes = sizeof options;
  options.runtime_directory = folder.path();
  options.services = &service;
  options.service_count = 1;
  options.context = &filler;
  options.policy = PHX_IPC_THROTTLE;
  options.throttle_max_ms = 60'000;
  phx_ipc_server* server = nullptr;
  ASSERT_EQ(phx_ipc_server_create("test", &options, &server), PHX_OK);

  std::thread client([&] { filler.read_all(folder); });
  for (; filler.turns < 100 && filler.rooms == 0; ++filler.turns)
    (void)phx_ipc_server_turn(server, 50);
  EXPECT_GT(filler.sent, 0);
  EXPECT_EQ(filler.rooms, 1);
  filler.rooms = 1;  // So that the client ends whatever came.
  client.join();
  EXPECT_EQ(phx_ipc_server_destroy(server), PHX_OK);
}

}  // namespace
}  // namespace phalanx::call
