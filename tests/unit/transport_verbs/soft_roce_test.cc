#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "transport/verbs/calls.h"
#include "transport/verbs/gid.h"
#include "transport/verbs/verbs_transport.h"

/// Two transports over a real RDMA device that has the address 10.77.0.1: run by tests/vm/run.
namespace phalanx::transport::verbs {
namespace {

std::unique_ptr<Transport> opened(NodeId self, std::uint32_t qkey = 0x1ee7,
                                  const std::string& group = "239.77.0.1",
                                  std::uint8_t worker = 0) {
  const auto port = [&](int first) { return static_cast<std::uint16_t>(first + worker); };
  auto out = open({.self = self,
                   .nodes = {{1, "10.77.0.1", port(5405)}, {2, "10.77.0.1", port(5415)}},
                   .group = group,
                   .worker = worker,
                   .qkey = qkey,
                   .depth = 256});
  EXPECT_TRUE(out) << out.error().text();
  return out ? std::move(*out) : nullptr;
}

bool send(Transport& wire, const std::string& payload, Destination to) {
  std::array<TxFrame, 1> frame;
  if (wire.tx_alloc(frame) != 1) return false;
  std::memcpy(frame[0].bytes.data(), payload.data(), payload.size());
  frame[0].length = payload.size();
  frame[0].to = to;
  wire.tx_burst(frame);
  return true;
}

/// The next frame, found authentic if `sender` is a node. Empty after the time given.
std::string receive(Transport& wire, NodeId sender,
                    std::chrono::milliseconds wait = std::chrono::seconds(5)) {
  const auto until = std::chrono::steady_clock::now() + wait;
  while (std::chrono::steady_clock::now() < until) {
    std::array<RxFrame, 1> frame;
    if (wire.rx_burst(frame) == 0) {
      std::this_thread::yield();
      continue;
    }
    std::string out(reinterpret_cast<const char*>(frame[0].bytes.data()), frame[0].bytes.size());
    if (sender != 0) wire.authenticated(sender, frame[0]);
    wire.rx_release(frame);
    return out;
  }
  return {};
}

constexpr Destination kEveryone{.kind = Destination::Kind::Everyone};

TEST(SoftRoce, CarriesMulticastAndTheAnswer) {
  const auto one = opened(1);
  const auto two = opened(2);
  ASSERT_TRUE(one && two);
  for (int i = 0; i < 1000; ++i) {
    const std::string text = "multicast " + std::to_string(i) + std::string(i % 900U, '.');
    ASSERT_TRUE(send(*one, text, kEveryone));
    ASSERT_EQ(receive(*two, 1), text);
    std::array<RxFrame, 1> own;  // A worker always looks: its own copies fill the queue too.
    ASSERT_EQ(one->rx_burst(own), 0U);
  }
  ASSERT_TRUE(send(*two, "answer", {.kind = Destination::Kind::Peer, .peer = 1}));
  EXPECT_EQ(receive(*one, 2), "answer") << "and none of its own copies before it";
  EXPECT_EQ(one->counters().rx_frames, 1U);
  EXPECT_EQ(one->counters().rx_refused, 1000U);
  EXPECT_EQ(one->counters().tx_refused + two->counters().tx_refused, 0U);
  EXPECT_EQ(one->ports().up, 1U);
}

TEST(SoftRoce, CarriesFramesAsLongAsThePathTakes) {
  const auto one = opened(1);
  const auto two = opened(2);
  ASSERT_TRUE(one && two);
  const std::string longest(one->limits().frame_bytes_max, 'x');
  ASSERT_TRUE(send(*one, longest, kEveryone));
  EXPECT_EQ(receive(*two, 1), longest);
}

// Without a group they find one another by the kernel's UDP.
TEST(SoftRoce, CarriesCopies) {
  const auto one = opened(1, 0x1ee7, "");
  const auto two = opened(2, 0x1ee7, "");
  ASSERT_TRUE(one && two);
  std::string heard;
  for (int i = 0; i < 1000 && heard.empty(); ++i) {
    (void)one->ports();
    (void)two->ports();
    ASSERT_TRUE(send(*one, "copy", kEveryone));
    heard = receive(*two, 1, std::chrono::milliseconds(20));
  }
  EXPECT_EQ(heard, "copy");
  ASSERT_TRUE(send(*two, "answer", {.kind = Destination::Kind::Peer, .peer = 1}));
  EXPECT_EQ(receive(*one, 2), "answer");
  EXPECT_EQ(one->counters().rx_refused, 0U) << "nothing comes back";
}

// A worker talks to the same worker of the others and hears nothing of the rest.
TEST(SoftRoce, WorkersHearTheirOwnOnly) {
  for (const std::string group : {"239.77.0.1", ""}) {
    std::array<std::unique_ptr<Transport>, 2> one;
    std::array<std::unique_ptr<Transport>, 2> two;
    for (std::uint8_t worker = 0; worker < 2; ++worker) {
      one[worker] = opened(1, 0x1ee7, group, worker);
      two[worker] = opened(2, 0x1ee7, group, worker);
      ASSERT_TRUE(one[worker] && two[worker]);
    }
    for (std::size_t worker = 0; worker < 2; ++worker) {
      const std::string said = "worker " + std::to_string(worker);
      std::string heard;
      for (int i = 0; i < 1000 && heard.empty(); ++i) {
        (void)one[worker]->ports();
        (void)two[worker]->ports();
        ASSERT_TRUE(send(*one[worker], said, kEveryone));
        heard = receive(*two[worker], 1, std::chrono::milliseconds(20));
      }
      EXPECT_EQ(heard, said) << group;
      EXPECT_EQ(receive(*two[1 - worker], 0, std::chrono::milliseconds(100)), "") << group;
      ASSERT_TRUE(send(*two[worker], "answer", {.kind = Destination::Kind::Peer, .peer = 1}));
      EXPECT_EQ(receive(*one[worker], 2), "answer") << group;
      while (!receive(*two[worker], 1, std::chrono::milliseconds(20)).empty()) {
      }
    }
  }
}

// What InfiniBand ports need of librdmacm, as far as Ethernet has it: the port of an address, and
// an answer to a join.
TEST(SoftRoce, TheConnectionManagerKnowsThePortAndAnswers) {
  calls::CmPlace place;
  calls::Cm* cm = calls::open_cm(*gid_of("10.77.0.1"), &place);
  if (cm == nullptr && errno == ENOSYS) GTEST_SKIP() << "built without librdmacm";
  ASSERT_NE(cm, nullptr) << errno;
  EXPECT_EQ(place.device, "rxe0");
  EXPECT_EQ(place.port, 1);
  const ibv_gid group = *gid_of("239.77.0.5");
  calls::CmEvent answer;
  EXPECT_FALSE(calls::take_cm_event(cm, 0, &answer)) << "nobody asked yet";
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(calls::join_cm(cm, group), 0);
    ASSERT_TRUE(calls::take_cm_event(cm, 5000, &answer));
    EXPECT_EQ(answer.error, 0);
    EXPECT_EQ(text(answer.group.grh.dgid), "::ffff:239.77.0.5");
    calls::leave_cm(cm, group);
  }
  calls::close_cm(cm);
  EXPECT_EQ(calls::open_cm(*gid_of("10.77.0.99"), &place), nullptr) << "no address of this host";
  calls::Cm* other = calls::open_cm(*gid_of("127.0.0.1"), &place);
  EXPECT_EQ(other, nullptr) << place.device;
  if (other != nullptr) calls::close_cm(other);
}

TEST(SoftRoce, DoesNotHearANodeWithAnotherQkey) {
  const auto one = opened(1);
  const auto two = opened(2, 0x2bad);
  ASSERT_TRUE(one && two);
  ASSERT_TRUE(send(*one, "secret", kEveryone));
  EXPECT_EQ(receive(*two, 0, std::chrono::milliseconds(500)), "");
}

}  // namespace
}  // namespace phalanx::transport::verbs
