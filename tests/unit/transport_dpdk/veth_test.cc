#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ipc/base/fd.h"
#include "tests/unit/transport_dpdk/nodes.h"
#include "tests/unit/transport_dpdk/pair.h"

namespace phalanx::transport::dpdk {
namespace {

/// A veth pair in a network namespace of this thread.
class AfPacket : public testing::Test {
 protected:
  void SetUp() override {
    if (unshare(CLONE_NEWNET) != 0 ||
        std::system("ip link add left mtu 9000 type veth peer name right mtu 9000 && "
                    "ip link set left up && ip link set right up") != 0) {
      GTEST_SKIP() << "needs root, and the command ip";
    }
  }
  static PairOptions between(const std::string& more) {
    return {.device_1 = "net_af_packet_left,iface=left" + more,
            .device_2 = "net_af_packet_right,iface=right" + more};
  }
};

TEST_F(AfPacket, CarriesFramesOverVeth) {
  carry_both_ways(between(""));
  PairOptions group = between("");
  group.multicast = true;
  group.ipv6 = true;
  carry_both_ways(group);
}

// The kernel's own 802.1Q at the other end agrees with ours.
TEST_F(AfPacket, CarriesFramesOfAVirtualLan) {
  ASSERT_EQ(std::system("ip link set left mtu 1500 && ip link set right mtu 1500"), 0);
  if (std::system("ip link add link right name right.77 type vlan id 77 2>/dev/null && "
                  "ip link set right.77 up") != 0) {
    GTEST_SKIP() << "this kernel has no 802.1Q";
  }
  for (const bool group : {false, true}) {
    PairOptions options = between("");
    options.device_2 += ".77";
    options.vlan_1 = 77;
    options.multicast = group;
    options.ipv6 = group;
    carry_both_ways(options);
  }
}

TEST_F(AfPacket, HearsNothingOfAnotherVirtualLan) {
  PairOptions options = between("");
  options.vlan_1 = 77;
  const Pair pair(options);
  ASSERT_TRUE(pair.is_open());
  const std::uint64_t before = pair.node[1]->counters().rx_refused;

  send(*pair.node[0], {frame_of(1, 100)}, {.kind = Destination::Kind::Everyone});

  EXPECT_TRUE(turn_until([&] {
    EXPECT_TRUE(receive(*pair.node[1]).empty());
    return pair.node[1]->counters().rx_refused > before + 1;
  }));
}

TEST_F(AfPacket, CarriesTagsBetweenItsOwn) {
  PairOptions options = between("");
  options.vlan_1 = options.vlan_2 = 77;
  carry_both_ways(options);
}

TEST_F(AfPacket, ShowsWhatItsDriverCounts) {
  const Pair pair(between(""));
  ASSERT_TRUE(pair.is_open());
  send(*pair.node[0], {frame_of(1, 100), frame_of(2, 100)}, {.kind = Destination::Kind::Everyone});

  const auto sent = [&]() -> std::uint64_t {
    (void)pair.node[0]->counters();  // The device is asked once in a while.
    std::array<ExtendedCounter, 64> rows;
    for (const ExtendedCounter& row : std::span(rows).first(pair.node[0]->extended(rows))) {
      if (std::string_view(row.name) == "tx_good_packets") return row.value;
    }
    return 0;
  };
  EXPECT_TRUE(turn_until([&] {
    for (int i = 0; i < 1000; ++i) (void)pair.node[0]->counters();
    return sent() >= 2;
  }));
  EXPECT_EQ(pair.node[0]->extended({}), 0U) << "no room, nothing written";
}

// A worker that sleeps is woken by a frame, and can sleep again once it has taken it.
void wakes_for_a_frame(const PairOptions& options) {
  const Pair pair(options);
  ASSERT_TRUE(pair.is_open());
  Transport& receiver = *pair.node[1];
  ASSERT_GE(receiver.wait_fd(), 0);
  ASSERT_EQ(take(receiver, 0).size(), 0U);  // What the kernel itself says on a new interface.
  send(*pair.node[0], {frame_of(1, 100)}, {.kind = Destination::Kind::Everyone});

  pollfd wait{.fd = receiver.wait_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&wait, 1, 5000), 1);
  EXPECT_EQ(take(receiver, 1).size(), 1U);
}

TEST_F(AfPacket, WakesForAFrame) { wakes_for_a_frame(between("")); }

/// Workers that only look when they are woken. The kernel's hash decides who is woken first.
void wakes_each_of_two_workers(PairOptions options) {
  options.workers = 2;
  const Pair pair(options);
  ASSERT_TRUE(pair.is_open());
  const Transports& node = pair.workers[1];
  std::array<std::size_t, 2> got{};
  const auto look = [&] {
    for (std::size_t i = 0; i < 2; ++i) got[i] += receive(*node[i]).size();
  };
  for (int i = 0; i < 20; ++i) look();  // What the kernel itself says on a new interface.
  for (std::uint8_t round = 0; round < 20; ++round) {
    const std::size_t meant = round % 2;
    const std::size_t before = got[meant];
    send(*pair.workers[0][meant], {frame_of(round, 100)}, {.kind = Destination::Kind::Everyone});
    for (int wakes = 0; got[meant] == before && wakes < 10; ++wakes) {
      std::array<pollfd, 2> wait{};
      bool empty = true;
      for (std::size_t i = 0; i < 2; ++i) {
        ASSERT_GE(node[i]->wait_fd(), 0);
        wait[i] = {.fd = node[i]->wait_fd(), .events = POLLIN, .revents = 0};
        empty = node[i]->arm_wait() && empty;
      }
      const int ready = empty ? poll(wait.data(), wait.size(), 5000) : 1;
      ASSERT_GE(ready, 1) << "round " << +round;
      look();
    }
    EXPECT_EQ(got[meant], before + 1) << "round " << +round;
  }
}

TEST_F(AfPacket, WakesEachOfTwoWorkers) { wakes_each_of_two_workers(between("")); }

TEST_F(AfPacket, CarriesLongFrames) {
  PairOptions options = between("");  // The ring's frames grow with the MTU.
  options.mtu = 9000;
  carry_both_ways(options);
}

TEST_F(AfPacket, RefusesAnMtuOverThePorts) {
  ASSERT_EQ(std::system("ip link set left mtu 1400"), 0);

  const auto opened = open(pair_config(between(""), 1));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ExitCode::Usage);
  EXPECT_NE(opened.error().observed.find("1400"), std::string::npos) << opened.error().text();
  EXPECT_NE(opened.error().remedy.find("transport.mtu"), std::string::npos);
}

// The kernel would spread packets over both, and one worker reads one.
TEST_F(AfPacket, RefusesMoreQueuesThanTheWorkerReads) {
  PairOptions two = between("");
  two.device_1 += ",qpairs=2";

  const auto opened = open(pair_config(two, 1));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ExitCode::Usage);
  EXPECT_NE(opened.error().observed.find("2 queues, of which 1"), std::string::npos)
      << opened.error().text();
  EXPECT_NE(opened.error().remedy.find("qpairs"), std::string::npos);
}

/// The same wire by af_xdp: packets go round the kernel's own receive path.
class AfXdp : public AfPacket {
 protected:
  void SetUp() override {
    AfPacket::SetUp();
    if (IsSkipped()) return;
    // One queue: packets of the others would go to the kernel. And whole frames in one buffer.
    ASSERT_EQ(std::system("ip link set left mtu 1500 && ip link set right mtu 1500"), 0);
    Fd probe(socket(AF_XDP, SOCK_RAW, 0));
    if (!probe) GTEST_SKIP() << "this kernel has no AF_XDP sockets: " << std::strerror(errno);
  }
  static PairOptions between() {
    return {.device_1 = "net_af_xdp_left,iface=left,busy_budget=0",
            .device_2 = "net_af_xdp_right,iface=right,busy_budget=0"};
  }
};

// A test each, on interfaces of its own: the driver gives a queue back with its process only.
TEST_F(AfXdp, CarriesACopyToEachPeerOverVeth) { carry_both_ways(between()); }

TEST_F(AfXdp, WakesForAFrame) { wakes_for_a_frame(between()); }

TEST_F(AfXdp, RefusesAQueueThatAnotherHas) {
  const Pair pair(between());
  ASSERT_TRUE(pair.is_open());
  PairOptions again = between();
  again.device_1 = "net_af_xdp_again,iface=left,busy_budget=0";

  const auto opened = open(pair_config(again, 1));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ExitCode::Usage);
  EXPECT_NE(opened.error().observed.find("Failed to create xsk socket"), std::string::npos)
      << opened.error().text();
  EXPECT_NE(opened.error().remedy.find("no other process"), std::string::npos);
}

// A veth is made with one queue here.
TEST_F(AfXdp, RefusesAQueueThatThePortDoesNotHave) {
  PairOptions second = between();
  second.device_1 += ",start_queue=1";

  const auto opened = open(pair_config(second, 1));

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ExitCode::Usage);
  EXPECT_NE(opened.error().observed.find("queue 1 is asked for, and left has 1"), std::string::npos)
      << opened.error().text();
  EXPECT_NE(opened.error().remedy.find("start_queue"), std::string::npos);

  PairOptions workers = between();
  workers.workers = 2;
  const auto more = open(pair_config(workers, 1));
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().observed.find("left has 1"), std::string::npos) << more.error().text();
  EXPECT_NE(more.error().remedy.find("worker.count"), std::string::npos) << more.error().text();
}

TEST_F(AfXdp, CarriesOneCopyToAGroupOverVeth) {
  PairOptions group = between();
  group.multicast = true;
  group.ipv6 = true;
  carry_both_ways(group);
}

}  // namespace
}  // namespace phalanx::transport::dpdk
