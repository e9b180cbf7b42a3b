#include <cstring>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

/// What the server's kSum handler saw arrive before: in order with the posts.
std::uint64_t sum(phx_ipc_handle h) {
  std::uint64_t total = 0;
  EXPECT_EQ(phx_ipc_call(h, kSum, "", 0, &total, sizeof total, nullptr, 5000), PHX_OK);
  return total;
}

TEST(Reserve, SendsWhatWasBuiltInPlaceWithTheCommit) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  const std::uint32_t wanted[2] = {1, 10};
  phx_ipc_room rooms[3] = {{kEvents, 100, nullptr}, {kCount, 0, nullptr}, {kEvents, 8, nullptr}};
  std::size_t reserved = 0;

  ASSERT_EQ(phx_ipc_reserve(h, rooms, 3, &reserved, 0), PHX_OK);
  ASSERT_EQ(reserved, 3u);
  std::memcpy(rooms[0].data, wanted, sizeof wanted);
  std::memcpy(rooms[2].data, wanted, sizeof wanted);
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, 50), PHX_TIMED_OUT);
  rooms[0].bytes = 8;
  ASSERT_EQ(phx_ipc_commit(h, rooms, 3), PHX_OK);

  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(phx_ipc_get(h, &event, 5000), PHX_OK);
    EXPECT_EQ(event.bytes, 10u);
    ASSERT_EQ(phx_ipc_put(h), PHX_OK);
  }
  EXPECT_EQ(server.counted, 1);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

/// Records the length of every post.
struct Lengths {
  std::mutex mutex;
  std::vector<std::size_t> seen;
};

TEST(Reserve, LengthsAreThoseOfTheCommit) {
  const Folder folder;
  Lengths lengths;
  static const phx_ipc_handler kHandlers[] = {
      {[](void* context, phx_ipc_server*, const phx_ipc_message* m) {
         auto* const of = static_cast<Lengths*>(context);
         const std::lock_guard guard(of->mutex);
         of->seen.push_back(m->bytes);
       },
       0}};
  const phx_ipc_service service{.service = kService,
                                .private_bytes = 0,
                                .handlers = kHandlers,
                                .handler_count = 1,
                                .init = nullptr,
                                .exit = nullptr,
                                .room = nullptr};
  phx_ipc_server_options options{};
  options.struct_bytes = sizeof options;
  options.runtime_directory = folder.path();
  options.services = &service;
  options.service_count = 1;
  options.context = &lengths;
  phx_ipc_server* server = nullptr;
  ASSERT_EQ(phx_ipc_server_create("test", &options, &server), PHX_OK);
  std::thread thread([&] { EXPECT_EQ(phx_ipc_server_run(server), PHX_OK); });
  // The second does not fit half a ring: it goes through the bulk ring.
  const phx_ipc_handle h =
      connect_to(folder, {.request_ring_bytes = 8192, .message_bytes_max = 60'000});
  phx_ipc_room rooms[4] = {
      {0, 64, nullptr}, {0, 60'000, nullptr}, {0, 24, nullptr}, {0, 1, nullptr}};
  std::size_t reserved = 0;
  ASSERT_EQ(phx_ipc_reserve(h, rooms, 4, &reserved, 5000), PHX_OK);
  ASSERT_EQ(reserved, 4u);
  for (phx_ipc_room& room : rooms) std::memset(room.data, 'x', room.bytes);
  rooms[0].bytes = 0;
  rooms[1].bytes = 59'999;
  ASSERT_EQ(phx_ipc_commit(h, rooms, 4), PHX_OK);
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard guard(lengths.mutex);
    return lengths.seen.size() == 4;
  }));
  EXPECT_EQ(lengths.seen, (std::vector<std::size_t>{0, 59'999, 24, 1}));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  phx_ipc_server_stop(server);
  thread.join();
  EXPECT_EQ(phx_ipc_server_destroy(server), PHX_OK);
}

TEST(Reserve, MisuseIsTold) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  phx_ipc_room room{kCount, 8, nullptr};
  phx_ipc_room large{kCount, (64u << 10) + 1, nullptr};
  std::size_t reserved = 0;
  const iovec part{&room, 8};
  const phx_ipc_item item{.id = kCount, .data = &room, .bytes = 8};

  EXPECT_EQ(phx_ipc_commit(h, nullptr, 0), PHX_NOT_PINNED);
  EXPECT_EQ(phx_ipc_reserve(h, nullptr, 1, &reserved, 0), PHX_INVALID);
  EXPECT_EQ(phx_ipc_reserve(h, &room, 0, &reserved, 0), PHX_INVALID);
  EXPECT_EQ(phx_ipc_reserve(h, &room, PHX_IPC_RESERVED_MAX + 1, &reserved, 0), PHX_INVALID);
  EXPECT_EQ(phx_ipc_reserve(h, &large, 1, &reserved, 0), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_reserve(h + (1ull << 40), &room, 1, &reserved, 0), PHX_BAD_HANDLE);

  ASSERT_EQ(phx_ipc_reserve(h, &room, 1, &reserved, 0), PHX_OK);
  std::size_t accepted = 0;
  EXPECT_EQ(phx_ipc_reserve(h, &room, 1, &reserved, 0), PHX_PINNED);
  EXPECT_EQ(phx_ipc_post(h, kCount, &part, 1, 0), PHX_PINNED);
  EXPECT_EQ(phx_ipc_post_batch(h, &item, 1, &accepted), PHX_PINNED);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 0), PHX_PINNED);
  std::thread([&] {
    EXPECT_EQ(phx_ipc_commit(h, &room, 1), PHX_WRONG_THREAD);
    EXPECT_EQ(phx_ipc_reserve(h, &room, 1, &reserved, 0), PHX_WRONG_THREAD);
  }).join();
  EXPECT_EQ(phx_ipc_commit(h, &room, 2), PHX_INVALID);
  room.bytes = 9;
  EXPECT_EQ(phx_ipc_commit(h, &room, 1), PHX_TOO_BIG);
  room.bytes = 8;
  EXPECT_EQ(phx_ipc_commit(h, &room, 1), PHX_OK);
  EXPECT_EQ(phx_ipc_commit(h, &room, 1), PHX_NOT_PINNED);
  EXPECT_EQ(sum(h), 0u);
  EXPECT_EQ(server.counted, 1);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Reserve, HoldsBackWhatOtherThreadsSendUntilTheCommit) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  phx_ipc_room room{kCount, 8, nullptr};
  std::size_t reserved = 0;
  ASSERT_EQ(phx_ipc_reserve(h, &room, 1, &reserved, 0), PHX_OK);
  std::thread other([&] {
    EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 20), PHX_TIMED_OUT);
    EXPECT_EQ(phx_ipc_post(h, kCount, nullptr, 0, 0), PHX_OK);
  });
  other.join();
  EXPECT_EQ(server.counted, 0);
  ASSERT_EQ(phx_ipc_commit(h, &room, 1), PHX_OK);
  EXPECT_EQ(sum(h), 0u);
  EXPECT_EQ(server.counted, 2);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Reserve, TakesAsManyAsFitAndWaitsForRoom) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h =
      connect_to(folder, {.request_ring_bytes = 4096, .message_bytes_max = 1000});
  int sent = 0;
  while (sent < 5000) {
    phx_ipc_room rooms[10];
    for (phx_ipc_room& room : rooms) room = {kCount, 1000, nullptr};
    std::size_t reserved = 0;
    ASSERT_EQ(phx_ipc_reserve(h, rooms, 10, &reserved, -1), PHX_OK);
    ASSERT_GE(reserved, 1u);
    ASSERT_LE(reserved, 4u);
    for (std::size_t i = 0; i < reserved; ++i) std::memset(rooms[i].data, 'x', 1000);
    ASSERT_EQ(phx_ipc_commit(h, nullptr, 0), PHX_OK);
    sent += static_cast<int>(reserved);
  }
  EXPECT_EQ(sum(h), 0u);
  EXPECT_EQ(server.counted, sent);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Reserve, RoomsStayThereBeyondTheEndOfTheConnection) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  for (const bool server_goes : {false, true}) {
    const phx_ipc_handle h = connect_to(folder);
    phx_ipc_room room{kCount, 8, nullptr};
    std::size_t reserved = 0;
    ASSERT_EQ(phx_ipc_reserve(h, &room, 1, &reserved, 0), PHX_OK);
    if (server_goes) {
      server.stop();
      phx_ipc_event event{};
      EXPECT_EQ(phx_ipc_get(h, &event, -1), PHX_DISCONNECTED);
    } else {
      ASSERT_EQ(phx_ipc_disconnect(h), PHX_OK);
    }
    std::memset(room.data, 'x', room.bytes);
    EXPECT_EQ(phx_ipc_commit(h, &room, 1), server_goes ? PHX_DISCONNECTED : PHX_BAD_HANDLE);
    EXPECT_EQ(phx_ipc_commit(h, &room, 1), server_goes ? PHX_NOT_PINNED : PHX_BAD_HANDLE);
    if (server_goes) {
      EXPECT_EQ(phx_ipc_reserve(h, &room, 1, &reserved, -1), PHX_DISCONNECTED);
      EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
    }
  }
  EXPECT_EQ(server.counted, 0);
}

}  // namespace
}  // namespace phalanx::call
