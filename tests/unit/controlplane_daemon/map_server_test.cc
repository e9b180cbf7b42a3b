#include "controlplane/daemon/map_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "ipc/include/phalanx/ipc_client.h"
#include "ipc/include/phalanx/map.h"
#include "tests/unit/controlplane_daemon/service_bench.h"

namespace phalanx::controlplane {
namespace {

using shm::MapCall;

class MapServerTest : public ServiceBench {
 protected:
  MapServerTest() {
    auto memory = MapMemory::create();
    PHX_CHECK(memory.has_value());
    server_.emplace(loop(), listen("map.sock"), security::Acl(geteuid(), {}, {}),
                    std::move(*memory), [this](MapServer::Computed done) {
                      ++computed_;
                      if (later_) {
                        waiting_ = std::move(done);
                        return;
                      }
                      map::Statistics statistics;
                      server_->add_statistics(statistics);
                      done(statistics);
                    });
    serve();
  }
  ~MapServerTest() override {
    finish([this] { server_.reset(); });
  }

  phx_map open(phx_map_kind kind = PHX_MAP_CONFIG) {
    const phx_map_options options{.struct_bytes = sizeof options,
                                  .kind = kind,
                                  .instance = "n1",
                                  .runtime_directory = runtime().c_str()};
    phx_map map = 0;
    EXPECT_EQ(phx_map_open(&options, &map), PHX_OK);
    return map;
  }
  /// Without the map's client: what it would not send.
  phx_ipc_handle connect_raw(std::size_t buffer_bytes = 0) {
    const phx_ipc_options options{.struct_bytes = sizeof options,
                                  .runtime_directory = runtime().c_str(),
                                  .buffer_bytes = buffer_bytes,
                                  .instance = "n1"};
    phx_ipc_handle handle = 0;
    EXPECT_EQ(phx_ipc_connect("map", shm::kMapService, &options, &handle), PHX_OK);
    return handle;
  }
  static phx_status call(phx_ipc_handle handle, MapCall call, const void* data, std::size_t bytes) {
    return phx_ipc_call(handle, static_cast<std::uint32_t>(call), data, bytes, nullptr, 0, nullptr,
                        5000);
  }
  std::uint64_t statistic(const char* key) {
    std::uint64_t number = 0;
    in_loop([&] {
      map::Statistics statistics;
      server_->add_statistics(statistics);
      std::memcpy(&number, statistics.at(key).value.data(), sizeof number);
    });
    return number;
  }

  std::optional<MapServer> server_;
  std::atomic<int> computed_{0};
  std::atomic<bool> later_{false};
  MapServer::Computed waiting_;
};

TEST_F(MapServerTest, ServesTheMapThroughTheRings) {
  const phx_map map = open();
  ASSERT_EQ(phx_map_set_u32(map, "app.x", 5), PHX_OK);
  EXPECT_EQ(phx_map_inc(map, "app.x"), PHX_OK);
  std::uint32_t value = 0;
  EXPECT_EQ(phx_map_get_u32(map, "app.x", &value), PHX_OK);
  EXPECT_EQ(value, 6u);
  const std::string big(PHX_MAP_VALUE_BYTES_MAX, 'b');
  EXPECT_EQ(phx_map_set(map, std::string(255, 'k').c_str(), PHX_MAP_BINARY, big.data(), big.size()),
            PHX_OK);
  EXPECT_EQ(phx_map_inc(map, "app.none"), PHX_NOT_FOUND);
  EXPECT_EQ(phx_map_delete(map, "app.x"), PHX_OK);
  EXPECT_EQ(phx_map_close(map), PHX_OK);
  EXPECT_EQ(statistic("stats.map.requests"), 5u);
}

TEST_F(MapServerTest, TellsChangesInOrderAndWakesWhoSleepsOrWatchesTheDescriptor) {
  const phx_map tracking = open();
  std::vector<std::string> told;
  const auto tell = [](void* context, phx_map, const phx_map_event* event) {
    static_cast<std::vector<std::string>*>(context)->emplace_back(event->key);
  };
  ASSERT_EQ(phx_map_track_add(tracking, "app.", PHX_MAP_ADD | PHX_MAP_PREFIX, tell, &told, nullptr),
            PHX_OK);
  EXPECT_EQ(phx_map_dispatch(tracking, PHX_DISPATCH_ALL, 0), PHX_TRY_AGAIN);
  const phx_map writing = open();

  std::thread late([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (const char* key : {"app.one", "other", "app.two"})
      EXPECT_EQ(phx_map_set_u8(writing, key, 1), PHX_OK);
  });
  while (told.size() < 2) {
    ASSERT_EQ(phx_map_dispatch(tracking, PHX_DISPATCH_ALL, 10'000), PHX_OK);
  }
  late.join();
  EXPECT_EQ(told, (std::vector<std::string>{"app.one", "app.two"}));

  pollfd watched{.fd = -1, .events = POLLIN, .revents = 0};
  ASSERT_EQ(phx_map_fd(tracking, &watched.fd), PHX_OK);
  for (const char* key : {"app.three", "app.four"}) {
    while (phx_map_dispatch(tracking, PHX_DISPATCH_ALL, 0) == PHX_OK) continue;
    EXPECT_EQ(poll(&watched, 1, 0), 0) << "quiet once all is dispatched";
    ASSERT_EQ(phx_map_set_u8(writing, key, 1), PHX_OK);
    EXPECT_EQ(poll(&watched, 1, 10'000), 1);
    EXPECT_EQ(phx_map_dispatch(tracking, PHX_DISPATCH_ALL, 0), PHX_OK);
    EXPECT_EQ(told.back(), key);
  }
  EXPECT_EQ(phx_map_close(tracking), PHX_OK);
  EXPECT_EQ(phx_map_close(writing), PHX_OK);
}

TEST_F(MapServerTest, ClosingEndsADispatchThatWaits) {
  const phx_map map = open();
  const auto never = [](void*, phx_map, const phx_map_event*) { ADD_FAILURE(); };
  ASSERT_EQ(phx_map_track_add(map, "app.x", PHX_MAP_ADD, never, nullptr, nullptr), PHX_OK);
  std::thread waiting(
      [map] { EXPECT_EQ(phx_map_dispatch(map, PHX_DISPATCH_FOREVER, -1), PHX_BAD_HANDLE); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));

  EXPECT_EQ(phx_map_close(map), PHX_OK);
  waiting.join();
}

TEST_F(MapServerTest, TheEndOfTheDaemonIsToldToReadersWritersAndSleepers) {
  const phx_map map = open();
  const phx_map sleeping = open();
  ASSERT_EQ(phx_map_set_u8(map, "app.x", 1), PHX_OK);
  const auto never = [](void*, phx_map, const phx_map_event*) { ADD_FAILURE(); };
  ASSERT_EQ(phx_map_track_add(sleeping, "app.y", PHX_MAP_ADD, never, nullptr, nullptr), PHX_OK);
  std::thread waiting([sleeping] {
    EXPECT_EQ(phx_map_dispatch(sleeping, PHX_DISPATCH_FOREVER, -1), PHX_DISCONNECTED);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));

  finish([this] { server_.reset(); });

  waiting.join();
  std::uint8_t value = 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(phx_map_get_u8(map, "app.x", &value), PHX_DISCONNECTED);
  EXPECT_EQ(phx_map_set_u8(map, "app.x", 2), PHX_DISCONNECTED);
  EXPECT_EQ(phx_map_close(map), PHX_OK);
  EXPECT_EQ(phx_map_close(sleeping), PHX_OK);
  phx_map none = 0;
  const phx_map_options options{
      .struct_bytes = sizeof options, .instance = "n1", .runtime_directory = runtime().c_str()};
  EXPECT_EQ(phx_map_open(&options, &none), PHX_NOT_RUNNING);
}

TEST_F(MapServerTest, AnswersStatisticsLaterAndAllWhoWaitAtOnce) {
  later_ = true;
  const phx_map a = open(PHX_MAP_STATS);
  const phx_map b = open(PHX_MAP_STATS);
  const auto get = [](phx_map map) {
    std::uint64_t clients = 0;
    EXPECT_EQ(phx_map_get_u64(map, "stats.map.clients", &clients), PHX_OK);
    EXPECT_EQ(clients, 2u);
    std::uint64_t none = 0;
    EXPECT_EQ(phx_map_get_u64(map, "stats.none", &none), PHX_NOT_FOUND);
  };
  std::thread first(get, a);
  EXPECT_TRUE(eventually([&] { return computed_ == 1; }));
  std::thread second(get, b);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(computed_, 1) << "one question at a time";

  in_loop([this] {
    later_ = false;
    map::Statistics statistics;
    server_->add_statistics(statistics);
    std::exchange(waiting_, nullptr)(statistics);
  });
  first.join();
  second.join();

  char key[PHX_MAP_KEY_BYTES_MAX + 1] = "";
  std::size_t keys = 0;
  while (phx_map_next(a, "stats.map.", key, nullptr, 0, nullptr, nullptr) == PHX_OK) ++keys;
  EXPECT_EQ(keys, 12u);
  EXPECT_EQ(phx_map_close(a), PHX_OK);
  EXPECT_EQ(phx_map_close(b), PHX_OK);
}

TEST_F(MapServerTest, CutsOffWhoSendsWhatNoLibrarySendsAndCountsIt) {
  const auto is_cut_off = [](phx_ipc_handle handle) {
    phx_ipc_event event;
    const phx_status got = phx_ipc_get(handle, &event, 5000);
    EXPECT_EQ(phx_ipc_disconnect(handle), PHX_OK);
    return got == PHX_EVICTED;
  };
  const shm::MapRequest request{.key_bytes = 100};

  phx_ipc_handle h = connect_raw();
  EXPECT_EQ(call(h, MapCall::Set, "short", 5), PHX_EVICTED);
  EXPECT_TRUE(is_cut_off(h));
  h = connect_raw();
  EXPECT_EQ(call(h, MapCall::Delete, &request, sizeof request), PHX_EVICTED);
  EXPECT_TRUE(is_cut_off(h));
  h = connect_raw();  // A call where the library posts, and the reverse: it would not be bounded.
  EXPECT_EQ(call(h, MapCall::Arm, &request, sizeof request), PHX_EVICTED);
  EXPECT_TRUE(is_cut_off(h));
  h = connect_raw();
  const phx_ipc_item post{
      .id = static_cast<std::uint32_t>(MapCall::StatsGet), .data = &request, .bytes = 0};
  std::size_t accepted = 0;
  EXPECT_EQ(phx_ipc_post_batch(h, &post, 1, &accepted), PHX_OK);
  EXPECT_TRUE(is_cut_off(h));

  EXPECT_EQ(statistic("stats.map.malformed"), 4u);
  h = connect_raw();
  EXPECT_EQ(call(h, MapCall{shm::kMapCalls}, nullptr, 0), PHX_NOT_SUPPORTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// One that arms and arms, and never reads a wake.
TEST_F(MapServerTest, CutsOffWhoDoesNotReadItsWakes) {
  const phx_map map = open();
  ASSERT_EQ(phx_map_set_u8(map, "app.x", 1), PHX_OK);
  const phx_ipc_handle h = connect_raw();
  const shm::MapRequest request{.position = 0};  // Behind the times.
  const iovec part{const_cast<shm::MapRequest*>(&request), sizeof request};

  phx_status status = PHX_OK;
  for (int i = 0; i < 10'000 && status == PHX_OK; ++i) {
    status = phx_ipc_post(h, static_cast<std::uint32_t>(MapCall::Arm), &part, 1, 5000);
  }

  EXPECT_EQ(status, PHX_EVICTED);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  std::uint8_t value = 0;
  EXPECT_EQ(phx_map_get_u8(map, "app.x", &value), PHX_OK) << "the others notice nothing";
  EXPECT_EQ(phx_map_set_u8(map, "app.x", 2), PHX_OK);
  EXPECT_EQ(phx_map_close(map), PHX_OK);
}

TEST_F(MapServerTest, WhatAClientMayMapIsSmallWhateverItAsksFor) {
  const phx_ipc_options options{.struct_bytes = sizeof options,
                                .runtime_directory = runtime().c_str(),
                                .request_ring_bytes = 64 << 20,
                                .response_ring_bytes = 64 << 20,
                                .dispatch_ring_bytes = 64 << 20,
                                .message_bytes_max = 16 << 20,
                                .buffer_bytes = 1 << 30,
                                .instance = "n1"};
  phx_ipc_handle h = 0;
  ASSERT_EQ(phx_ipc_connect("map", shm::kMapService, &options, &h), PHX_OK);

  EXPECT_EQ(mapped_bytes("memfd:phalanx-call"), 2u * (4 * 1024 + 2 * 3 * (4 + 32) * 1024 + 4096))
      << "a page, three rings with their bulk rings, each twice, and a page of buffers; both sides";
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

}  // namespace
}  // namespace phalanx::controlplane
