// Two threads that wait on one handle, and a server that tells of room when it harms most.

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "ipc/base/fd.h"
#include "ipc/call/client/waiting_room.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/mirror_map.h"

namespace phalanx::call {

// Of a connection that nobody ends here.
void end_connection(Handle&, phx_status why) noexcept { ADD_FAILURE() << phx_status_name(why); }
phx_status reason_of(const Handle&) noexcept { return PHX_DISCONNECTED; }

namespace {

struct WaitingRoom : testing::Test {
  void SetUp() override {
    const Geometry geometry = geometry_for({.request_bytes = 4096,
                                            .response_bytes = 4096,
                                            .dispatch_bytes = 4096,
                                            .buffer_bytes = 0,
                                            .message_bytes_max = 64,
                                            .outstanding_max = 2});
    memory.reset(
        shm::make_sealed_memory("room", memory_bytes(geometry), allocated_bytes(geometry)));
    ASSERT_TRUE(handle.memory.map(memory.get(), geometry));
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    server.reset(ends[0]);
    wake.reset(ends[1]);
    handle.wake = wake.get();
    handle.server_is_trusted = true;
    ASSERT_TRUE(let_reads_sleep(handle.wake));
    handle.responses = handle.memory.consumer(Mapping::kResponse);
    for (Pending& pending : handle.pending) pending.state = kWaiting;
  }
  void TearDown() override { handle.memory.unmap(); }

  [[nodiscard]] std::atomic_ref<std::uint32_t> waits() {
    return std::atomic_ref(handle.memory.page()->client_waits);
  }
  /// As the server does that released some of the request ring. True: somebody was told.
  bool tell_of_room_made() {
    const bool asked = (waits().fetch_and(~kWaitsForRoom) & kWaitsForRoom) != 0;
    if (asked) send_wake(server.get());
    return asked;
  }
  /// Until the leader has taken the byte, and had time to go back to sleep.
  void let_leader_act() {
    for (int bytes = 1; bytes > 0 && ioctl(wake.get(), FIONREAD, &bytes) == 0;) usleep(1000);
    usleep(50'000);
  }

  Fd memory, server, wake;
  Handle handle;
};

struct Follower {
  WaitingRoom& room;
  int looks = 0, told = 0;
  /// There is no room at the first looks, but during the one before sleep some comes, of which the
  /// leader is told: too little still. Then there is enough.
  static bool look(void* self) {
    auto& follower = *static_cast<Follower*>(self);
    ++follower.looks;
    if (follower.told > 0) return follower.looks > 2;
    if (!follower.room.tell_of_room_made()) return false;
    ++follower.told;
    follower.room.let_leader_act();
    return false;
  }
};

// The leader may sleep for ever afterwards: who goes to sleep has to be found by it before.
TEST_F(WaitingRoom, ALeaderWakesWhoLooksForRoomForTheLastTime) {
  handle.pending[1].for_room = true;
  std::thread leader([&] {
    EXPECT_EQ(wait_for(handle, handle.pending[0], {}, monotonic_now() + 60 * kSecond), PHX_OK);
  });
  while ((waits().load() & kWaitsForReply) == 0) usleep(1000);  // It leads, and goes to sleep.
  Follower follower{.room = *this};
  const TimeNs begun = monotonic_now();
  EXPECT_EQ(wait_for(handle, handle.pending[1], {.try_it = Follower::look, .what = &follower},
                     begun + 10 * kSecond),
            PHX_OK);
  EXPECT_LT(monotonic_now() - begun, 5 * kSecond);
  EXPECT_EQ(follower.told, 1);
  handle.pending[0].state = kDone;
  send_wake(server.get());
  leader.join();
}

}  // namespace
}  // namespace phalanx::call
