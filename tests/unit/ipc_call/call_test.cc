#include <cstring>

#include "tests/unit/ipc_call/fixture.h"

namespace phalanx::call {
namespace {

/// Of each way of waiting, at both ends.
class CallOf : public testing::TestWithParam<phx_ipc_wait> {};

TEST_P(CallOf, GetsItsReplyInEveryForm) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.wait = GetParam()});
  char out[64] = {};
  std::size_t bytes = 0;

  EXPECT_EQ(phx_ipc_call(h, kEcho, "copied", 6, out, sizeof out, &bytes, 5000), PHX_OK);
  EXPECT_EQ(std::string(out, bytes), "copied");

  char name[] = "in ", rest[] = "pieces";
  const iovec parts[] = {{name, 3}, {rest, 6}};
  char first[4] = {}, second[16] = {};
  const iovec into[] = {{first, 4}, {second, 16}};
  EXPECT_EQ(phx_ipc_callv(h, kEcho, parts, 2, into, 2, &bytes, 5000), PHX_OK);
  EXPECT_EQ(bytes, 9u);
  EXPECT_EQ(std::string(first, 4) + std::string(second, 5), "in pieces");

  phx_ipc_reply reply{};
  EXPECT_EQ(phx_ipc_call_pinned(h, kEcho, parts, 2, 0, &reply, 5000), PHX_OK);
  EXPECT_EQ(std::string(static_cast<const char*>(reply.data), reply.bytes), "in pieces");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(reply.data) % 8, 0u);
  EXPECT_EQ(phx_ipc_reply_release(h, &reply), PHX_OK);
  EXPECT_EQ(reply.data, nullptr);

  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}
INSTANTIATE_TEST_SUITE_P(Ways, CallOf,
                         testing::Values(PHX_IPC_ADAPTIVE, PHX_IPC_POLL, PHX_IPC_SLEEP));

TEST(Call, CarriesMessagesUpToTheLimitThroughSmallRings) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(
      folder,
      {.request_ring_bytes = 4096, .response_ring_bytes = 4096, .message_bytes_max = 300'000});
  for (std::size_t bytes : {0, 1, 8, 2015, 2016, 2017, 2024, 2025, 4096, 100'000, 300'000}) {
    std::string request(bytes, 'x');
    for (std::size_t i = 0; i < bytes; ++i) request[i] = static_cast<char>(i * 31 + bytes);
    std::string reply(bytes, '\0');
    std::size_t got = 0;
    ASSERT_EQ(phx_ipc_call(h, kEcho, request.data(), bytes, reply.data(), bytes, &got, 5000),
              PHX_OK);
    EXPECT_EQ(got, bytes);
    EXPECT_EQ(reply, request);
  }
  std::string over(300'001, 'x');
  EXPECT_EQ(phx_ipc_call(h, kEcho, over.data(), over.size(), nullptr, 0, nullptr, 0), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, over.data(), over.size(), nullptr, 0), PHX_TOO_BIG);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// No thread waits for another one's reply: the first call is answered last.
TEST(Call, OfSeveralThreadsOnOneHandleAreOutstandingTogether) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  for (const phx_ipc_wait wait : {PHX_IPC_ADAPTIVE, PHX_IPC_SLEEP}) {
    const phx_ipc_handle h = connect_to(folder, {.wait = wait});
    constexpr int kThreads = 8;
    std::vector<std::thread> threads;
    std::atomic<int> answered{0};
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        std::uint64_t reply = 0;
        EXPECT_EQ(phx_ipc_call(h, kLater, "", 0, &reply, sizeof reply, nullptr, 10'000), PHX_OK);
        EXPECT_NE(reply, 0u);
        ++answered;
      });
    }
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard guard(server.mutex);
      return server.later.size() == kThreads;
    }));
    phx_ipc_flow flow{};
    EXPECT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
    EXPECT_EQ(flow.outstanding, unsigned{kThreads});
    EXPECT_EQ(answered, 0);
    server.answer_all();
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(answered, kThreads);
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  }
}

TEST(Call, OfManyThreadsGetEachItsOwnReply) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(
      folder, {.request_ring_bytes = 4096, .response_ring_bytes = 4096, .message_bytes_max = 4000});
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([h, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string request =
            std::to_string(t) + "/" + std::to_string(i) + std::string((i * 37) % 3000, '.');
        if (i % 3 == 0) {
          const iovec part{const_cast<char*>(request.data()), request.size()};
          phx_ipc_reply reply{};
          ASSERT_EQ(phx_ipc_call_pinned(h, kEcho, &part, 1, request.size(), &reply, 10'000),
                    PHX_OK);
          ASSERT_EQ(std::string(static_cast<const char*>(reply.data), reply.bytes), request);
          ASSERT_EQ(phx_ipc_reply_release(h, &reply), PHX_OK);
          continue;
        }
        std::string reply(request.size(), '\0');
        std::size_t bytes = 0;
        ASSERT_EQ(phx_ipc_call(h, kEcho, request.data(), request.size(), reply.data(), reply.size(),
                               &bytes, 10'000),
                  PHX_OK);
        ASSERT_EQ(reply, request);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Call, ThatTimesOutLeavesTheHandleUsable) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.outstanding_max = 2});
  std::uint64_t reply = 1;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(phx_ipc_call(h, kLater, "", 0, &reply, 8, nullptr, 5), PHX_TIMED_OUT);
  // Both may still be carried out, so that both places are taken.
  EXPECT_EQ(phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5), PHX_TRY_AGAIN);

  server.answer_all();
  EXPECT_TRUE(eventually(
      [&] { return phx_ipc_call(h, kEcho, "", 0, nullptr, 0, nullptr, 5000) == PHX_OK; }));
  phx_ipc_flow flow{};
  EXPECT_EQ(phx_ipc_flow_state(h, &flow), PHX_OK);
  EXPECT_EQ(flow.outstanding, 0u);
  EXPECT_EQ(reply, 1u);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Call, PinnedRepliesAreGivenBackInAnyOrder) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h =
      connect_to(folder, {.response_ring_bytes = 4096, .message_bytes_max = 1000});
  const std::string text(900, 'p');
  const iovec part{const_cast<char*>(text.data()), text.size()};
  phx_ipc_reply a{}, b{}, c{};
  ASSERT_EQ(phx_ipc_call_pinned(h, kEcho, &part, 1, 1000, &a, 5000), PHX_OK);
  ASSERT_EQ(phx_ipc_call_pinned(h, kEcho, &part, 1, 1000, &b, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_reply_release(h, &b), PHX_OK);
  EXPECT_EQ(phx_ipc_reply_release(h, &b), PHX_NOT_PINNED);

  // The second one's room comes back with the first's only.
  for (int i = 0; i < 10; ++i) {
    std::string out(text.size(), '\0');
    const phx_status status =
        phx_ipc_call(h, kEcho, text.data(), text.size(), out.data(), out.size(), nullptr, 20);
    if (status == PHX_TIMED_OUT) break;
    ASSERT_EQ(status, PHX_OK);
    ASSERT_LT(i, 3);
  }
  EXPECT_EQ(std::string(static_cast<const char*>(a.data), a.bytes), text);
  EXPECT_EQ(phx_ipc_reply_release(h, &a), PHX_OK);
  EXPECT_EQ(phx_ipc_call_pinned(h, kEcho, &part, 1, 1000, &c, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_reply_release(h, &c), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Call, IsRefusedWithTheServersOwnStatus) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  const std::uint32_t status = PHX_ACCESS;
  EXPECT_EQ(phx_ipc_call(h, kRefuse, &status, 4, nullptr, 0, nullptr, 5000), PHX_ACCESS);
  EXPECT_EQ(phx_ipc_call(h, 999, "", 0, nullptr, 0, nullptr, 5000), PHX_NOT_SUPPORTED);
  EXPECT_EQ(phx_ipc_call(h, kTwice, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  EXPECT_TRUE(eventually([&] { return server.second_reply >= 0; }));
  EXPECT_EQ(server.second_reply, PHX_REPLIED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Call, WaitsForSendingAllowedAndReleasesWhatItKept) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder);
  EXPECT_EQ(phx_ipc_call(h, kGuarded, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  // The reply is on its way before the handler ends.
  EXPECT_TRUE(eventually([&] { return server.released == 1; }));

  server.may_send = 0;
  EXPECT_EQ(phx_ipc_call(h, kGuarded, "", 0, nullptr, 0, nullptr, 5000), PHX_TRY_AGAIN);
  EXPECT_EQ(server.released, 1);
  EXPECT_EQ(phx_ipc_post(h, kGuardedCount, nullptr, 0, 0), PHX_OK);
  EXPECT_TRUE(eventually([&] { return server.allowed_calls == 3; }));
  EXPECT_EQ(server.counted, 0);

  server.may_send = 1;
  EXPECT_EQ(phx_ipc_server_resume(server.server), PHX_OK);
  EXPECT_TRUE(eventually([&] { return server.counted == 1; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST(Post, ArrivesInOrderAloneAndInBatches) {
  const Folder folder;
  TestServer server(folder);
  server.start();
  const phx_ipc_handle h = connect_to(folder, {.request_ring_bytes = 4096});
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(phx_ipc_post(h, kCount, nullptr, 0, 5000), PHX_OK);
  std::vector<phx_ipc_item> items(100, {.id = kCount, .data = "12345678", .bytes = 8});
  for (std::size_t sent = 0; sent < 10'000;) {
    std::size_t accepted = 0;
    const phx_status status = phx_ipc_post_batch(h, items.data(), items.size(), &accepted);
    ASSERT_TRUE(status == PHX_OK || status == PHX_TRY_AGAIN);
    ASSERT_EQ(status == PHX_OK, accepted == items.size());
    sent += accepted;
    if (sent > 9'900) items.resize(10'000 - sent);
    if (status != PHX_OK) std::this_thread::yield();
  }
  EXPECT_TRUE(eventually([&] { return server.counted == 15'000; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

}  // namespace
}  // namespace phalanx::call
