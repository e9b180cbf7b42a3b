#include "transport/sim/sim_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace phalanx::transport {
namespace {

constexpr TransportLimits kLimits{
    .frame_bytes_max = 256, .burst_frames_max = 32, .rx_ring_frames = 8};
constexpr Destination kEveryone{.kind = Destination::Kind::Everyone};

void send_numbers(SimPort& port, const Destination& to, int first, int count) {
  std::vector<TxFrame> frames(static_cast<std::size_t>(count));
  ASSERT_EQ(port.tx_alloc(frames), frames.size());
  for (int i = 0; i < count; ++i) {
    TxFrame& frame = frames[static_cast<std::size_t>(i)];
    frame.bytes[0] = static_cast<std::byte>(first + i);
    frame.length = 1;
    frame.to = to;
  }
  port.tx_burst(frames);
}

std::vector<int> take_all(SimPort& port) {
  std::vector<int> out;
  std::array<RxFrame, 4> frames;
  while (const std::size_t count = port.rx_burst(frames)) {
    for (std::size_t i = 0; i < count; ++i) out.push_back(std::to_integer<int>(frames[i].bytes[0]));
    port.rx_release(std::span(frames).first(count));
  }
  return out;
}

TEST(EventQueue, EventsOfOneTimeComeOutInTheOrderTheyWentIn) {
  EventQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) queue.push(i % 3, i);

  std::vector<std::uint32_t> order;
  while (!queue.empty()) order.push_back(queue.pop().what);

  std::vector<std::uint32_t> expected;
  for (std::uint32_t t = 0; t < 3; ++t) {
    for (std::uint32_t i = t; i < 100; i += 3) expected.push_back(i);
  }
  EXPECT_EQ(order, expected);
}

// By each receiver anew, as an adapter that sends a copy to each.
TEST(SimNetwork, ReadsWhatIsGatheredWhenAFrameArrives) {
  SimNetwork network(3, kLimits, 1);
  network.link(1, 2).jitter = network.link(1, 3).jitter = 0;
  network.link(1, 2).delay = kMillisecond;
  network.link(1, 3).delay = kSecond;
  std::vector<std::byte> memory(10, std::byte{'a'});
  TxFrame frame;
  ASSERT_EQ(network.port(1).tx_alloc(std::span(&frame, 1)), 1U);
  std::ranges::fill(frame.bytes.first(4), std::byte{'h'});
  frame.length = 4 + memory.size();
  frame.gathered_at = 3;
  frame.gathered = memory;
  frame.to = kEveryone;
  network.port(1).tx_burst(std::span(&frame, 1));
  const auto arrives = [&](NodeId node, TimeNs at) {
    (void)network.deliver_until(at);
    std::string text;
    RxFrame got;
    if (network.port(node).rx_burst(std::span(&got, 1)) == 0) return text;
    text.assign(reinterpret_cast<const char*>(got.bytes.data()), got.bytes.size());
    network.port(node).rx_release(std::span(&got, 1));
    return text;
  };

  EXPECT_EQ(arrives(2, 100 * kMillisecond), "hhhaaaaaaaaaah");
  EXPECT_EQ(network.counters().changed, 0U);
  memory[9] = std::byte{'z'};
  EXPECT_EQ(arrives(3, 2 * kSecond), "hhhaaaaaaaaazh");
  EXPECT_EQ(network.counters().changed, 1U);
  EXPECT_EQ(network.counters().gathered, 2U);
}

TEST(SimNetwork, JitterAloneKeepsALinkInOrder) {
  SimNetwork network(2, {.frame_bytes_max = 64, .burst_frames_max = 32, .rx_ring_frames = 256}, 1);
  network.link(1, 2).jitter = kMillisecond;

  for (int i = 0; i < 100; ++i) {
    network.set_time(static_cast<TimeNs>(i));
    send_numbers(network.port(1), kEveryone, i, 1);
  }

  EXPECT_EQ(network.deliver_until(kSecond), 0b10u);
  const std::vector<int> got = take_all(network.port(2));
  EXPECT_EQ(got.size(), 100u);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST(SimNetwork, ACutIsOneWay) {
  SimNetwork network(2, kLimits, 1);
  network.link(1, 2).cut = true;

  send_numbers(network.port(1), kEveryone, 1, 1);
  send_numbers(network.port(2), kEveryone, 2, 1);
  (void)network.deliver_until(kSecond);

  EXPECT_TRUE(take_all(network.port(2)).empty());
  EXPECT_EQ(take_all(network.port(1)), std::vector{2});
}

TEST(SimNetwork, AFullReceiveQueueLosesWhatDoesNotFitAndCountsIt) {
  SimNetwork network(2, kLimits, 1);

  send_numbers(network.port(1), kEveryone, 0, 20);
  (void)network.deliver_until(kSecond);

  EXPECT_EQ(take_all(network.port(2)), (std::vector{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(network.counters().overrun, 12u);
}

TEST(SimNetwork, MembersAreThoseOfTheLastCallAndNeverTheSender) {
  SimNetwork network(3, kLimits, 1);
  const std::array<NodeId, 2> members{1, 3};
  network.port(1).set_members(members);

  send_numbers(network.port(1), {.kind = Destination::Kind::Members}, 7, 1);

  EXPECT_EQ(network.deliver_until(kSecond), 0b100u);
  EXPECT_EQ(take_all(network.port(3)), std::vector{7});
}

TEST(SimNetwork, ASeedIsAHistory) {
  const auto history = [](std::uint64_t seed) {
    SimNetwork network(3, {.frame_bytes_max = 64, .burst_frames_max = 32, .rx_ring_frames = 256},
                       seed);
    network.set_all_links({.drop_ppm = 200'000,
                           .duplicate_ppm = 200'000,
                           .corrupt_ppm = 100'000,
                           .reorder_ppm = 300'000});
    for (int i = 0; i < 50; ++i) {
      network.set_time(static_cast<TimeNs>(i) * 1000);
      send_numbers(network.port(1), kEveryone, i, 1);
    }
    (void)network.deliver_until(kSecond);
    return take_all(network.port(2));
  };

  EXPECT_EQ(history(7), history(7));
  EXPECT_NE(history(7), history(8));
}

}  // namespace
}  // namespace phalanx::transport
