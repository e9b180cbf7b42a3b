#include <cstring>
#include <memory>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

TEST(Buffer, IsReadInPlaceWhateverItsSize) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.message_bytes_max = 100, .buffer_bytes = 4u << 20});
  phx_ipc_buffer buffer = 0;
  void* data = nullptr;
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 3u << 20, &buffer, &data), PHX_OK);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0u);
  for (int round = 1; round < 4; ++round) {
    std::memset(data, round, 3u << 20);
    std::uint64_t sum = 0;
    std::size_t bytes = 0;
    ASSERT_EQ(phx_ipc_buffer_call(h, kSum, buffer, 3u << 20, &sum, sizeof sum, &bytes, 5000),
              PHX_OK);
    EXPECT_EQ(sum, std::uint64_t{3u << 20} * static_cast<unsigned>(round));
  }
  // Neither side copied it into a ring: they are smaller.
  phx_ipc_flow flow{};
  ASSERT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_LT(flow.request_ring_bytes, 3u << 20);
  EXPECT_EQ(phx_ipc_buffer_free(h, buffer), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Buffer, IsUsedAgainAtTheSameAddress) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.buffer_bytes = 8192});
  phx_ipc_buffer a = 0, b = 0, c = 0;
  void *at_a = nullptr, *at_b = nullptr, *at_c = nullptr;
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 4000, &a, &at_a), PHX_OK);
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 4000, &b, &at_b), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_alloc(h, 1000, &c, &at_c), PHX_NO_MEMORY);
  EXPECT_GE(static_cast<char*>(at_b), static_cast<char*>(at_a) + 4000);
  EXPECT_EQ(phx_ipc_buffer_free(h, a), PHX_OK);
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 4032, &c, &at_c), PHX_OK);
  EXPECT_EQ(at_c, at_a);
  EXPECT_NE(a, c);
  EXPECT_EQ(phx_ipc_buffer_free(h, a), PHX_WRONG_BUFFER);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Buffer, MisuseIsTold) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.buffer_bytes = 65536});
  const phx_ipc_handle other = connect_to(folder, {.buffer_bytes = 65536});
  const phx_ipc_handle none = connect_to(folder);
  phx_ipc_buffer buffer = 0;
  void* data = nullptr;
  EXPECT_EQ(phx_ipc_buffer_alloc(none, 1, &buffer, &data), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_buffer_alloc(h, 65537, &buffer, &data), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_buffer_alloc(h, 0, &buffer, &data), PHX_INVALID);
  EXPECT_EQ(phx_ipc_buffer_alloc(h, 1, nullptr, &data), PHX_INVALID);
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 100, &buffer, &data), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_post(other, kCount, buffer, 10, 0), PHX_WRONG_BUFFER);
  EXPECT_EQ(phx_ipc_buffer_free(other, buffer), PHX_WRONG_BUFFER);
  EXPECT_EQ(phx_ipc_buffer_free(h, 0), PHX_WRONG_BUFFER);
  EXPECT_EQ(phx_ipc_buffer_post(h, kCount, buffer, 129, 0), PHX_TOO_BIG);
  phx_ipc_buffer many[PHX_IPC_BUFFERS_MAX];
  for (int i = 0; i < PHX_IPC_BUFFERS_MAX - 1; ++i)
    ASSERT_EQ(phx_ipc_buffer_alloc(h, 8, &many[i], &data), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_alloc(h, 8, &many[0], &data), PHX_LIMIT);
  for (const phx_ipc_handle each : {h, other, none}) EXPECT_EQ(phx_ipc_disconnect(each), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_free(h, buffer), PHX_BAD_HANDLE);
}

// The server holds the message back: until it has handled it, the bytes are the server's.
TEST(Buffer, StaysInUseUntilTheServerHandledTheMessage) {
  const Folder folder;
  TestServer server(folder);
  server.may_send = 0;
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.buffer_bytes = 4096});
  phx_ipc_buffer buffer = 0;
  void* data = nullptr;
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 100, &buffer, &data), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_post(h, kGuardedCount, buffer, 100, 0), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_free(h, buffer), PHX_IN_USE);
  EXPECT_EQ(phx_ipc_buffer_post(h, kGuardedCount, buffer, 100, 0), PHX_IN_USE);
  EXPECT_TRUE(eventually([&] { return server.allowed_calls == 1; }));
  server.may_send = 1;
  EXPECT_EQ(phx_ipc_server_resume(server.server), PHX_OK);
  EXPECT_TRUE(eventually([&] { return phx_ipc_buffer_post(h, kCount, buffer, 100, 0) == PHX_OK; }));
  EXPECT_TRUE(eventually([&] { return phx_ipc_buffer_free(h, buffer) == PHX_OK; }));
  EXPECT_EQ(server.counted, 2);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Buffer, OfAServerThatIsGoneIsTheClientsAlone) {
  const Folder folder;
  auto server = std::make_unique<TestServer>(folder);
  server->may_send = 0;
  server->start();
  const phx_ipc_handle h = connect_to(folder, {.buffer_bytes = 4096});
  phx_ipc_buffer buffer = 0, another = 0;
  void* data = nullptr;
  ASSERT_EQ(phx_ipc_buffer_alloc(h, 100, &buffer, &data), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_post(h, kGuardedCount, buffer, 100, 0), PHX_OK);
  server.reset();
  phx_ipc_event event{};
  EXPECT_EQ(phx_ipc_get(h, &event, 5000), PHX_DISCONNECTED);
  std::memset(data, 1, 100);
  EXPECT_EQ(phx_ipc_buffer_free(h, buffer), PHX_OK);
  EXPECT_EQ(phx_ipc_buffer_alloc(h, 100, &another, &data), PHX_DISCONNECTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

}  // namespace
}  // namespace phalanx::call
