#include "transport/dpdk/handover.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <rte_mbuf.h>

#include <array>
#include <thread>

#include "tests/unit/transport_dpdk/nodes.h"
#include "transport/dpdk/buffers.h"
#include "transport/dpdk/eal.h"

namespace phalanx::transport::dpdk {
namespace {

class HandoverTest : public testing::Test {
 protected:
  void SetUp() override {
    static int number = 0;
    const auto started =
        start_eal({.instance = "test", .cpu = {}, .pci = {}, .extra = eal_words()});
    ASSERT_TRUE(started) << started.error().text();
    auto buffers = Buffers::create({.name = "handover-" + std::to_string(number++),
                                    .frames = 512,
                                    .frame_bytes = 128,
                                    .header_bytes = 0});
    ASSERT_TRUE(buffers) << buffers.error().text();
    buffers_.emplace(std::move(*buffers));
    auto made = Handover::create(3, 100);
    ASSERT_TRUE(made) << made.error().text();
    handover_ = std::move(*made);
  }
  void TearDown() override { handover_.reset(); }

  rte_mbuf* frame(std::uint32_t number) {
    rte_mbuf* out = rte_pktmbuf_alloc(buffers_->pool());
    if (out != nullptr) out->hash.usr = number;
    return out;
  }
  std::vector<std::uint32_t> take(std::size_t to) {
    std::array<rte_mbuf*, 64> mbufs;
    const std::size_t count = handover_->take(to, mbufs);
    std::vector<std::uint32_t> out;
    for (rte_mbuf* mbuf : std::span(mbufs).first(count)) {
      out.push_back(mbuf->hash.usr);
      rte_pktmbuf_free(mbuf);
    }
    return out;
  }
  [[nodiscard]] bool is_rung(std::size_t worker, int wait_ms = 0) const {
    pollfd wait{.fd = handover_->doorbell(worker), .events = POLLIN, .revents = 0};
    return poll(&wait, 1, wait_ms) == 1;
  }

  std::optional<Buffers> buffers_;
  std::unique_ptr<Handover> handover_;
};

TEST_F(HandoverTest, KeepsTheOrderOfEachGiver) {
  for (std::uint32_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(handover_->give(0, 2, frame(i)));
    ASSERT_TRUE(handover_->give(1, 2, frame(10 + i)));
  }
  ASSERT_TRUE(handover_->give(2, 0, frame(99)));

  EXPECT_EQ(take(1), std::vector<std::uint32_t>{});
  EXPECT_EQ(take(0), std::vector<std::uint32_t>{99});
  EXPECT_EQ(take(2), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 10, 11, 12, 13, 14}));
  EXPECT_EQ(take(2), std::vector<std::uint32_t>{});
}

TEST_F(HandoverTest, RefusesWhatFindsNoRoomAndLosesNothingElse) {
  std::size_t taken = 0;
  rte_mbuf* refused = nullptr;
  while (refused == nullptr) {
    rte_mbuf* next = frame(0);
    ASSERT_NE(next, nullptr);
    if (handover_->give(0, 1, next)) {
      ++taken;
    } else {
      refused = next;
    }
  }
  rte_pktmbuf_free(refused);
  EXPECT_EQ(taken, 100U);
  ASSERT_TRUE(handover_->give(2, 1, frame(7))) << "another one's ring has room";

  std::size_t got = 0;
  for (auto some = take(1); !some.empty(); some = take(1)) got += some.size();
  EXPECT_EQ(got, taken + 1);
}

TEST_F(HandoverTest, RingsForASleeperOnly) {
  ASSERT_TRUE(handover_->give(0, 1, frame(1)));
  handover_->wake(0);
  EXPECT_FALSE(is_rung(1)) << "it is awake";
  EXPECT_FALSE(handover_->arm(1)) << "something waits already";
  EXPECT_EQ(take(1).size(), 1U);

  EXPECT_TRUE(handover_->arm(1));
  ASSERT_TRUE(handover_->give(0, 2, frame(2)));
  handover_->wake(0);
  EXPECT_FALSE(is_rung(1)) << "it was for another";
  ASSERT_TRUE(handover_->give(0, 1, frame(3)));
  EXPECT_FALSE(is_rung(1)) << "a whole burst is told at once";
  handover_->wake(0);
  EXPECT_TRUE(is_rung(1));
  EXPECT_EQ(take(1).size(), 1U);
  EXPECT_TRUE(handover_->arm(1));
  EXPECT_FALSE(is_rung(1)) << "one wake for one sleep";
}

// The last frame before the receiver sleeps, over and over: a wake that is missed ends the test.
TEST_F(HandoverTest, MissesNoWake) {
  constexpr std::uint32_t kFrames = 20000;
  std::uint32_t got = 0;
  bool in_order = true;
  std::thread receiver([&] {
    register_thread();
    while (got < kFrames) {
      for (const std::uint32_t number : take(1)) in_order = in_order && number == got++;
      if (got < kFrames && handover_->arm(1) && !is_rung(1, 10000)) break;
    }
  });
  std::thread giver([&] {
    register_thread();
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      rte_mbuf* next = frame(i);
      while (next == nullptr || !handover_->give(0, 1, next)) {
        handover_->wake(0);
        std::this_thread::yield();
        if (next == nullptr) next = frame(i);
      }
      if (i % 3 != 0) handover_->wake(0);
    }
    handover_->wake(0);
  });
  giver.join();
  receiver.join();
  EXPECT_EQ(got, kFrames);
  EXPECT_TRUE(in_order);
}

}  // namespace
}  // namespace phalanx::transport::dpdk
