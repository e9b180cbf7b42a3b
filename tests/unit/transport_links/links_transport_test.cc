#include "transport/links/links_transport.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace phalanx::transport {
namespace {

TimeNs now_of_test = 0;
TimeNs test_clock() noexcept { return now_of_test; }

constexpr std::array<NodeId, 2> kMembers{1, 2};
constexpr TimeNs kSilent = 25 * kMillisecond;

/// A wire that lends few buffers, numbers its received frames from 0, and keeps what is sent.
class Wire final : public Transport {
 public:
  Wire(const char* driver, bool pollable) : driver_(driver) {
    if (pollable) fd_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override {
    std::size_t count = 0;
    for (; count < out.size() && waiting > 0; ++count, --waiting) {
      out[count] = {.bytes = byte_,
                    .cookie = reinterpret_cast<void*>(next_++)};  // As verbs does: a number.
      ++lent;
    }
    return count;
  }
  void rx_release(std::span<const RxFrame> frames) noexcept override {
    for (const RxFrame& frame : frames) {
      released.push_back(reinterpret_cast<std::uintptr_t>(frame.cookie));
    }
    lent -= frames.size();
  }
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override {
    const std::size_t count = std::min(out.size(), room);
    for (std::size_t i = 0; i < count; ++i) out[i] = {.bytes = buffers_[i]};
    return count;
  }
  void tx_burst(std::span<const TxFrame> frames) noexcept override {
    for (const TxFrame& frame : frames) {
      sent.emplace_back(std::to_integer<int>(frame.bytes[0]), frame.to);
      bytes_sent += frame.length;
    }
  }
  void authenticated(NodeId sender, const RxFrame& frame) noexcept override {
    proven = {sender, reinterpret_cast<std::uintptr_t>(frame.cookie)};
  }
  void set_members(std::span<const NodeId> members) noexcept override {
    member_count = members.size();
  }
  [[nodiscard]] int wait_fd() const noexcept override { return fd_ ? fd_.get() : -1; }
  [[nodiscard]] bool arm_wait() noexcept override { return may_sleep; }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return set_limits; }
  [[nodiscard]] TransportCounters counters() const noexcept override {
    return {.rx_frames = released.size(), .tx_frames = sent.size()};
  }
  [[nodiscard]] TransportPorts ports() noexcept override { return {driver_, 1, up}; }

  std::size_t waiting = 0;
  std::size_t lent = 0;
  std::size_t room = 16;
  std::size_t bytes_sent = 0;
  std::size_t member_count = 0;
  std::uint32_t up = 1;
  bool may_sleep = true;
  std::vector<std::uintptr_t> released;
  std::vector<std::pair<int, Destination>> sent;
  std::pair<NodeId, std::uintptr_t> proven{};
  TransportLimits set_limits{.frame_bytes_max = 64, .burst_frames_max = 16, .rx_ring_frames = 1024};

 private:
  const char* driver_;
  Fd fd_;
  std::uintptr_t next_ = 0;
  std::array<std::byte, 1> byte_{};
  std::array<std::array<std::byte, 64>, 16> buffers_{};
};

struct LinksTransportTest : ::testing::Test {
  void SetUp() override { now_of_test = 100 * kSecond; }

  void open(LinkChoice::Use use = LinkChoice::Use::Healthiest, bool pollable = true) {
    auto one = std::make_unique<Wire>("one", true);
    auto two = std::make_unique<Wire>("two", pollable);
    first = one.get();
    second = two.get();
    second->set_limits = {.frame_bytes_max = 48, .burst_frames_max = 8, .rx_ring_frames = 2048};
    auto opened =
        LinksTransport::open({std::move(one), std::move(two)},
                             {.self = 1, .use = use, .silent_after = kSilent}, &test_clock);
    ASSERT_TRUE(opened);
    links = std::move(*opened);
    links->set_members(kMembers);
  }

  /// Sends frames with these numbers in their first byte.
  void send(std::initializer_list<int> numbers, Spread spread = Spread::Used) {
    std::array<TxFrame, 16> frames;
    const std::size_t lent = links->tx_alloc(std::span(frames).first(numbers.size()));
    std::size_t i = 0;
    for (const int number : numbers) {
      if (i == lent) break;
      frames[i].bytes[0] = static_cast<std::byte>(number);
      frames[i].length = 40;
      frames[i].to = {.kind = Destination::Kind::Peer, .peer = 2};
      frames[i++].spread = spread;
    }
    links->tx_burst(std::span(frames).first(i));
  }
  /// A frame of node 2 over one of the links, that says `hears`.
  void hear(Wire& over, LinkSet hears = kAllLinks) {
    over.waiting = 1;
    std::array<RxFrame, 4> frames;
    ASSERT_EQ(links->rx_burst(frames), 1U);
    links->heard(2, hears, frames[0]);
    links->rx_release(std::span(frames).first(1));
  }
  static std::vector<int> numbers(const Wire& wire) {
    std::vector<int> out;
    for (const auto& [number, to] : wire.sent) out.push_back(number);
    return out;
  }

  using Numbers = std::vector<int>;
  Wire* first = nullptr;
  Wire* second = nullptr;
  std::unique_ptr<LinksTransport> links;
};

TEST_F(LinksTransportTest, PromisesWhatBothCanKeep) {
  open();
  EXPECT_EQ(links->limits().frame_bytes_max, 48U);
  EXPECT_EQ(links->limits().burst_frames_max, 8U);
  EXPECT_EQ(links->limits().rx_ring_frames, 1024U);
  EXPECT_STREQ(links->ports().driver, "one+two");
  EXPECT_EQ(links->ports().count, 2U);
  EXPECT_EQ(second->member_count, 2U);
}

TEST_F(LinksTransportTest, GivesEachFrameBackToTheLinkItCameFrom) {
  open();
  first->waiting = 3;
  second->waiting = 2;
  std::array<RxFrame, 8> frames;
  ASSERT_EQ(links->rx_burst(frames), 5U);
  std::swap(frames[0], frames[4]);  // In whatever order.
  links->rx_release(std::span(frames).first(5));

  EXPECT_EQ(first->lent, 0U);
  EXPECT_EQ(second->lent, 0U);
  EXPECT_EQ(first->released.size(), 3U);
  EXPECT_EQ(second->released.size(), 2U);
  for (const std::uintptr_t cookie : second->released) EXPECT_LT(cookie, 2U);
}

TEST_F(LinksTransportTest, AFloodOverOneLinkLeavesRoomForTheOther) {
  open();
  std::size_t of_second = 0;
  for (int turn = 0; turn < 4; ++turn) {
    first->waiting = 100;
    second->waiting = 1;
    std::array<RxFrame, 4> frames;
    ASSERT_EQ(links->rx_burst(frames), 4U);
    links->rx_release(frames);
    of_second = second->released.size();
  }
  EXPECT_GE(of_second, 2U);
}

TEST_F(LinksTransportTest, DataGoesOverTheFirstOnly) {
  open();
  send({1, 2});
  EXPECT_EQ(numbers(*first), (Numbers{1, 2}));
  EXPECT_EQ(numbers(*second), Numbers{});
  EXPECT_FALSE(links->link(1).used);
}

TEST_F(LinksTransportTest, WhatMustArriveGoesOverBothWithItsDestination) {
  open();
  send({7}, Spread::Every);
  send({8}, Spread::Every);
  EXPECT_EQ(numbers(*first), (Numbers{7, 8}));
  EXPECT_EQ(numbers(*second), (Numbers{7, 8}));
  EXPECT_EQ(second->sent[0].second, first->sent[0].second);
  EXPECT_EQ(second->bytes_sent, first->bytes_sent);
}

TEST_F(LinksTransportTest, TheLinkThatIsNotInUseIsProbedNowAndThen) {
  open();
  int probes = 0;
  for (int i = 0; i < 100; ++i) {
    now_of_test += 100 * kMicrosecond;
    send({i});
    if (!links->probe_due()) continue;
    send({100 + i}, Spread::Probe);
    ++probes;
  }
  EXPECT_EQ(probes, 2) << "10 ms, and a probe every 5";
  EXPECT_EQ(first->sent.size(), 100U);
  EXPECT_EQ(second->sent.size(), 2U);
  EXPECT_GE(second->sent[0].first, 100);
}

// The same bytes over both prove one of them only.
TEST_F(LinksTransportTest, OfTwoInUseEachIsProbedByItself) {
  open(LinkChoice::Use::Both);
  send({1});
  while (links->probe_due()) send({2}, Spread::Probe);
  EXPECT_EQ(numbers(*first), (Numbers{1, 2}));
  EXPECT_EQ(numbers(*second), (Numbers{1, 2}));
}

TEST_F(LinksTransportTest, ASilentLinkIsLeftAndTakenAgain) {
  open();
  hear(*first);
  hear(*second);
  now_of_test += kSilent + 1;
  hear(*second);
  EXPECT_EQ(links->links_heard(), 2U);
  send({1});
  EXPECT_EQ(numbers(*first), Numbers{});
  EXPECT_EQ(numbers(*second), Numbers{1});
  EXPECT_TRUE(links->link(1).used);
  EXPECT_FALSE(links->link(0).heard);

  hear(*first);
  send({2});
  now_of_test += 2 * kSecond;
  hear(*first);
  hear(*second);
  send({3});
  EXPECT_EQ(numbers(*first), Numbers{3});
  EXPECT_EQ(numbers(*second), (Numbers{1, 2}));
}

TEST_F(LinksTransportTest, OverBothAFrameThatOneRefusesStillGoesOverTheOther) {
  open(LinkChoice::Use::Both);
  second->room = 1;
  send({1, 2, 3});
  EXPECT_EQ(numbers(*first), (Numbers{1, 2, 3}));
  EXPECT_EQ(numbers(*second), Numbers{1});
  second->room = 0;
  send({4});
  EXPECT_EQ(numbers(*first), (Numbers{1, 2, 3, 4}));
}

TEST_F(LinksTransportTest, WhoSentAFrameIsToldToItsLinkOnly) {
  open();
  second->waiting = 1;
  std::array<RxFrame, 2> frames;
  ASSERT_EQ(links->rx_burst(frames), 1U);
  links->authenticated(2, frames[0]);
  links->rx_release(std::span(frames).first(1));

  EXPECT_EQ(second->proven, (std::pair<NodeId, std::uintptr_t>{2, 0}));
  EXPECT_EQ(first->proven.first, 0U);
}

TEST_F(LinksTransportTest, SleepsOnlyWhereBothCanWake) {
  open();
  EXPECT_GE(links->wait_fd(), 0);
  EXPECT_TRUE(links->arm_wait());
  second->may_sleep = false;
  EXPECT_FALSE(links->arm_wait());

  open(LinkChoice::Use::Healthiest, false);
  EXPECT_EQ(links->wait_fd(), -1);
}

}  // namespace
}  // namespace phalanx::transport
