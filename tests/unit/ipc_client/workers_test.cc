// A data plane of two workers, played by the test: the library has a channel with each.

#include <gtest/gtest.h>
#include <phalanx/phalanx.h>
#include <phalanx/replica.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ipc/base/fd.h"
#include "ipc/shm/attach_server.h"
#include "ipc/shm/group_id.h"

namespace phalanx {
namespace {

constexpr LaneId kLanes = 3;  // Lanes 0 and 2 are the first worker's.
constexpr std::uint64_t kRing = 4096;

/// A name whose group is the worker's.
std::string group_of(std::size_t worker) {
  for (int i = 0;; ++i) {
    std::string name = "g" + std::to_string(i);
    if (shm::group_id(name.data(), name.size()) % kLanes % 2 == worker) return name;
  }
}

struct WorkersTest : testing::Test {
  void SetUp() override {
    for (std::size_t w = 0; w < 2; ++w) name[w] = group_of(w);
    start();
  }
  void start() {
    start_listening();
    attach();
  }
  void start_listening() {
    ASSERT_NE(mkdtemp(directory), nullptr);
    const std::string instance = std::string(directory) + "/default";
    ASSERT_EQ(mkdir(instance.c_str(), 0700), 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (instance + "/phalanx.sock").c_str());
    listener.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
  }
  void attach() {
    std::thread server([this] { accept_client(); });
    phx_options options{};
    options.struct_bytes = sizeof options;
    options.runtime_directory = directory;
    options.spin_us = -1;
    options.no_reattach = 1;
    options.context = this;
    options.callbacks.message = [](void* self, phx_handle, const phx_message* m) {
      static_cast<WorkersTest*>(self)->seen.emplace_back(static_cast<const char*>(m->data),
                                                         m->bytes);
    };
    options.callbacks.connection = [](void* self, phx_handle, const phx_connection* c) {
      static_cast<WorkersTest*>(self)->seen.push_back("event " + std::to_string(c->event));
    };
    ASSERT_EQ(phx_initialize(&options, &handle), PHX_OK);
    server.join();
    for (std::size_t w = 0; w < 2; ++w) {
      ASSERT_EQ(phx_join(handle, name[w].data(), name[w].size(), &group[w]), PHX_OK);
    }
  }
  void TearDown() override {
    phx_finalize(handle);
    std::filesystem::remove_all(directory);
  }

  void accept_client() {
    client.reset(accept(listener.get(), nullptr, nullptr));
    shm::AttachRequest request;
    while (shm::read_attach_request(client.get(), request) == shm::RequestState::NotYet) continue;
    std::vector<const shm::WorkerChannel*> both;
    for (shm::WorkerChannel& channel : channels) {
      channel = shm::WorkerChannel::create({.submit_bytes = kRing,
                                            .delivery_bytes = kRing,
                                            .message_bytes_max = 1024,
                                            .node = 1,
                                            .client = 5})
                    .value();
      both.push_back(&channel);
    }
    flags = request.flags;
    ASSERT_TRUE(shm::send_attach_reply(client.get(), request, both, lanes));
  }

  /// What a worker finds in its ring.
  std::vector<std::string> submitted(std::size_t worker) {
    std::vector<std::string> out;
    shm::Submission submission;
    while (channels[worker].peek_submission(submission)) {
      out.emplace_back(reinterpret_cast<const char*>(submission.payload.data()),
                       submission.payload.size());
      channels[worker].pop_submission();
    }
    if (channels[worker].release_submissions()) shm::wake_client(client.get());
    return out;
  }
  void deliver(std::size_t worker, const std::string& text) {
    const shm::MessageEvent event{shm::group_id(name[worker].data(), name[worker].size()), 1, 5};
    ASSERT_TRUE(channels[worker].write_message(event, 0, std::as_bytes(std::span(text))));
    if (channels[worker].publish_events()) shm::wake_client(client.get());
  }
  phx_status send(std::size_t worker, const std::string& text) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    return phx_multicast(handle, group[worker], &part, 1, PHX_AGREED);
  }
  phx_status dispatch(phx_dispatch_mode mode = PHX_DISPATCH_ALL, int timeout_ms = 0) {
    return phx_dispatch(handle, mode, timeout_ms);
  }

  char directory[32] = "/tmp/phalanx-workers-XXXXXX";
  Fd listener;
  Fd client;
  shm::WorkerChannel channels[2];
  shm::LaneMap lanes{kLanes};
  std::uint32_t flags = 0;  ///< Of the request.
  phx_handle handle = 0;
  std::string name[2];
  phx_group group[2] = {};
  std::vector<std::string> seen;
};

using Words = std::vector<std::string>;

TEST_F(WorkersTest, WhatConcernsAGroupGoesToTheWorkerOfItsLane) {
  ASSERT_EQ(send(0, "to the first"), PHX_OK);
  ASSERT_EQ(send(1, "to the second"), PHX_OK);

  EXPECT_EQ(submitted(0), (Words{name[0], "to the first"}));
  EXPECT_EQ(submitted(1), (Words{name[1], "to the second"}));
}

/// Groups that are where the configuration says, which is not where their ids would have them.
struct MappedTest : WorkersTest {
  void SetUp() override {
    std::vector<shm::MappedGroup> mapped;
    for (std::size_t w = 0; w < 2; ++w) {
      name[w] = group_of(1 - w);
      mapped.push_back({.group = shm::group_id(name[w].data(), name[w].size()),
                        .lane = static_cast<std::uint32_t>(w == 0 ? 2 : 1)});
    }
    for (std::uint64_t i = 1; mapped.size() < shm::kGroupsMappedMax; ++i) {
      mapped.push_back({.group = i, .lane = 0});
    }
    std::ranges::sort(mapped, {}, &shm::MappedGroup::group);
    ASSERT_TRUE(lanes.assign(kLanes, mapped));
    start();
  }
};

TEST_F(MappedTest, WhatConcernsAGroupGoesToTheWorkerOfTheLaneItWasGiven) {
  EXPECT_NE(flags & shm::kKnowsLaneMap, 0U);
  ASSERT_EQ(send(0, "to the first"), PHX_OK);
  ASSERT_EQ(send(1, "to the second"), PHX_OK);

  EXPECT_EQ(submitted(0), (Words{name[0], "to the first"}));
  EXPECT_EQ(submitted(1), (Words{name[1], "to the second"}));
}

TEST_F(MappedTest, AllOthersAreWhereTheirIdsAre) {
  for (std::size_t w = 0; w < 2; ++w) {
    submitted(w);
    std::string other = "another";
    while (shm::group_id(other.data(), other.size()) % kLanes % 2 != w) other += "x";
    phx_group opened = 0;
    ASSERT_EQ(phx_open(handle, other.data(), other.size(), &opened), PHX_OK);

    EXPECT_EQ(submitted(w), Words{other});
  }
}

// What follows the reply is no wake: the next thing on the socket is.
TEST_F(MappedTest, TheLanesAreReadToTheirEnd) {
  char byte = 0;
  ASSERT_TRUE(shm::wake_client(client.get()));
  EXPECT_EQ(dispatch(), PHX_TRY_AGAIN);
  EXPECT_EQ(recv(client.get(), &byte, 1, MSG_DONTWAIT), -1) << "still attached";
  deliver(1, "x");
  EXPECT_EQ(dispatch(), PHX_OK);
}

/// A replicated state, for which node views and its group's messages must have one order.
struct ReplicaLaneTest : WorkersTest {
  void SetUp() override {
    for (int i = 0; id() % kLanes != 1; ++i) group_name = "r" + std::to_string(i);
    start_listening();
  }
  void TearDown() override {
    phx_replica_close(replica);
    std::filesystem::remove_all(directory);
  }

  GroupId id() const { return shm::group_id(group_name.data(), group_name.size()); }
  void put_into(std::uint32_t lane) {
    const shm::MappedGroup mapped{.group = id(), .lane = lane};
    ASSERT_TRUE(lanes.assign(kLanes, {&mapped, 1}));
  }
  phx_status open() {
    phx_replica_options options{};
    options.struct_bytes = sizeof options;
    options.group = group_name.data();
    options.group_bytes = group_name.size();
    options.runtime_directory = directory;
    options.callbacks.snapshot = [](void*, phx_replica_writer*) { return 0; };
    options.callbacks.restore = [](void*, const void*, size_t, uint32_t) { return 0; };
    options.callbacks.apply = [](void*, const phx_replica_operation*) { return std::int64_t{0}; };
    std::thread server([this] { accept_client(); });
    const phx_status status = phx_replica_open(&options, &replica);
    server.join();
    return status;
  }

  std::string group_name = "r";
  phx_replica* replica = nullptr;
};

TEST_F(ReplicaLaneTest, AStateInAnotherLaneIsRefusedBeforeItJoins) {
  EXPECT_EQ(open(), PHX_WRONG_LANE);

  EXPECT_EQ(submitted(1), Words{});
  EXPECT_NE(std::string(phx_strerror(PHX_WRONG_LANE)).find("lane.groups"), std::string::npos);
}

TEST_F(ReplicaLaneTest, OneThatTheConfigurationPutsThereIsFine) {
  put_into(0);

  EXPECT_EQ(open(), PHX_OK);

  EXPECT_EQ(submitted(0), Words{group_name});
}

TEST_F(ReplicaLaneTest, OneThatIsMovedAwayByARestartIsTold) {
  put_into(0);
  ASSERT_EQ(open(), PHX_OK);
  put_into(2);

  std::thread server([this] { accept_client(); });
  client.reset();
  phx_status status = PHX_OK;
  for (int i = 0; i < 200 && status != PHX_WRONG_LANE; ++i) {
    status = phx_replica_dispatch(replica, 50);
  }
  server.join();

  EXPECT_EQ(status, PHX_WRONG_LANE);
}

TEST_F(WorkersTest, EventsOfAllAreDispatched) {
  deliver(0, "a1");
  deliver(1, "b1");
  deliver(0, "a2");

  EXPECT_EQ(dispatch(), PHX_OK);

  std::ranges::sort(seen);
  EXPECT_EQ(seen, (Words{"a1", "a2", "b1"}));
  EXPECT_EQ(dispatch(), PHX_TRY_AGAIN);
}

TEST_F(WorkersTest, OneByOneNoneKeepsAnotherWaiting) {
  for (const char* text : {"a", "a", "a", "a"}) deliver(0, text);
  deliver(1, "b");

  for (int i = 0; i < 2; ++i) ASSERT_EQ(dispatch(PHX_DISPATCH_ONE), PHX_OK);

  std::ranges::sort(seen);
  EXPECT_EQ(seen, (Words{"a", "b"}));
}

TEST_F(WorkersTest, AnyOfThemWakesASleeper) {
  for (const std::size_t worker : {1, 0}) {
    std::thread later([&, worker] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      deliver(worker, "x");
    });
    EXPECT_EQ(dispatch(PHX_DISPATCH_ALL, 5000), PHX_OK);
    later.join();
  }
  EXPECT_EQ(seen, (Words{"x", "x"}));
}

TEST_F(WorkersTest, AFullRingIsNobodyElses) {
  const std::string text(500, 'x');
  while (send(1, text) == PHX_OK) continue;

  EXPECT_EQ(send(1, text), PHX_TRY_AGAIN);
  EXPECT_EQ(send(0, text), PHX_OK);
  EXPECT_EQ(dispatch(), PHX_TRY_AGAIN) << "nothing was taken yet";
  submitted(0);
  EXPECT_EQ(dispatch(), PHX_TRY_AGAIN) << "but of the other ring";
  submitted(1);
  EXPECT_EQ(dispatch(), PHX_OK);
  EXPECT_EQ(seen, (Words{"event " + std::to_string(PHX_EVENT_SENDABLE)}));
  EXPECT_EQ(send(1, text), PHX_OK);
}

// The data plane evicts a client from all workers at once, but each in its own time.
TEST_F(WorkersTest, ItIsEvictedWhenAllSaySoAndAllIsDispatched) {
  deliver(1, "last");
  (void)channels[0].evict(shm::EvictReason::Lagged);
  EXPECT_EQ(dispatch(), PHX_OK);
  EXPECT_EQ(dispatch(), PHX_TRY_AGAIN);
  EXPECT_EQ(send(0, "x"), PHX_EVICTED);

  (void)channels[1].evict(shm::EvictReason::Lagged);
  EXPECT_EQ(dispatch(), PHX_OK);

  EXPECT_EQ(seen, (Words{"last", "event " + std::to_string(PHX_EVENT_EVICTED)}));
}

TEST_F(WorkersTest, OneThatGoesIsTheDataPlane) {
  (void)channels[1].disconnect();

  EXPECT_EQ(dispatch(), PHX_OK);

  EXPECT_EQ(seen, (Words{"event " + std::to_string(PHX_EVENT_DISCONNECTED)}));
  EXPECT_EQ(send(0, "x"), PHX_DISCONNECTED);
}

TEST_F(WorkersTest, TheFullestRingIsShown) {
  ASSERT_EQ(send(1, std::string(900, 'x')), PHX_OK);
  deliver(0, "unread");

  phx_flow flow{};
  ASSERT_EQ(phx_flow_state(handle, &flow), PHX_OK);

  EXPECT_EQ(flow.submit_ring_bytes, kRing);
  EXPECT_GT(flow.submit_queued_bytes, 900U);
  EXPECT_GT(flow.delivery_queued_bytes, 0U);
}

}  // namespace
}  // namespace phalanx
