#include "transport/faults/fault_transport.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <vector>

#include "ipc/base/bytes.h"

namespace phalanx::transport {
namespace {

TimeNs now_of_test = 0;
TimeNs test_clock() noexcept { return now_of_test; }

using Bytes = std::vector<std::byte>;

/// A wire on which the test puts what arrives; counts what is lent.
class Wire final : public Transport {
 public:
  void arrive(NodeId sender, std::uint8_t number) {
    Bytes frame(64, std::byte{0});
    frame[0] = static_cast<std::byte>(number);
    store_le<std::uint32_t>(frame.data() + 8, sender);
    waiting_.push_back(std::move(frame));
  }
  [[nodiscard]] std::size_t lent() const noexcept { return lent_; }

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override {
    std::size_t count = 0;
    for (; count < out.size() && !waiting_.empty(); ++count) {
      kept_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      out[count] = {.bytes = kept_.back(), .cookie = &kept_.back()};
      ++lent_;
    }
    return count;
  }
  void rx_release(std::span<const RxFrame> frames) noexcept override { lent_ -= frames.size(); }
  std::size_t tx_alloc(std::span<TxFrame>) noexcept override { return 0; }
  void tx_burst(std::span<const TxFrame>) noexcept override {}
  void set_members(std::span<const NodeId>) noexcept override {}
  [[nodiscard]] int wait_fd() const noexcept override { return -1; }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }

 private:
  TransportLimits limits_{.frame_bytes_max = 64, .burst_frames_max = 32, .rx_ring_frames = 1024};
  std::deque<Bytes> waiting_;
  std::deque<Bytes> kept_;
  std::size_t lent_ = 0;
};

struct FaultTransportTest : ::testing::Test {
  void SetUp() override { now_of_test = 1000; }

  void arrive(NodeId sender, int count) {
    for (int i = 0; i < count; ++i) wire.arrive(sender, static_cast<std::uint8_t>(i));
  }
  /// Takes all that is there now, and gives it back.
  std::vector<Bytes> take(FaultTransport& from) {
    std::vector<Bytes> out;
    RxFrame frames[16];
    while (const std::size_t got = from.rx_burst(frames)) {
      for (const RxFrame& f : std::span(frames).first(got)) {
        out.emplace_back(f.bytes.begin(), f.bytes.end());
      }
      from.rx_release(std::span(frames).first(got));
    }
    return out;
  }
  static std::vector<int> numbers(const std::vector<Bytes>& frames) {
    std::vector<int> out;
    out.reserve(frames.size());
    for (const Bytes& frame : frames) out.push_back(static_cast<int>(frame[0]));
    return out;
  }

  Wire wire;
  FaultTransport faults{wire, 7, &test_clock};
};

TEST_F(FaultTransportTest, ChangesNothingUnlessAsked) {
  arrive(1, 40);

  const std::vector<Bytes> frames = take(faults);

  ASSERT_EQ(frames.size(), 40U);
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(static_cast<int>(frames[static_cast<std::size_t>(i)][0]), i);
  EXPECT_EQ(wire.lent(), 0U);
}

TEST_F(FaultTransportTest, CutsOffThePeersItWasToldTo) {
  faults.set(2, {.cut = true});
  arrive(1, 5);
  arrive(2, 5);
  arrive(3, 5);

  EXPECT_EQ(take(faults).size(), 10U);
  EXPECT_EQ(faults.fault_counters().cut, 5U);

  faults.set(2, {});
  arrive(2, 5);
  EXPECT_EQ(take(faults).size(), 5U);
  EXPECT_EQ(wire.lent(), 0U);
}

TEST_F(FaultTransportTest, DropsAboutAsManyAsAsked) {
  faults.set_all({.drop_ppm = 250'000});
  arrive(1, 4000);

  const std::size_t arrived = take(faults).size();

  EXPECT_NEAR(static_cast<double>(arrived), 3000.0, 150.0);
  EXPECT_EQ(arrived + faults.fault_counters().dropped, 4000U);
  EXPECT_EQ(wire.lent(), 0U);
}

TEST_F(FaultTransportTest, DuplicatesAFrameOnce) {
  faults.set_all({.duplicate_ppm = 1'000'000, .reorder_delay = 10});
  arrive(1, 8);

  std::vector<int> all = numbers(take(faults));
  now_of_test += 10;
  const std::vector<int> later = numbers(take(faults));
  all.insert(all.end(), later.begin(), later.end());

  EXPECT_EQ(all.size(), 16U);
  EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), 8U);
}

TEST_F(FaultTransportTest, FlipsOneBit) {
  faults.set_all({.corrupt_ppm = 1'000'000});
  wire.arrive(1, 0);
  Bytes sent(64, std::byte{0});
  store_le<std::uint32_t>(sent.data() + 8, 1U);

  const std::vector<Bytes> frames = take(faults);

  ASSERT_EQ(frames.size(), 1U);
  int flipped = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    flipped += __builtin_popcount(static_cast<unsigned>(sent[i] ^ frames[0][i]));
  }
  EXPECT_EQ(flipped, 1);
  EXPECT_EQ(wire.lent(), 0U);
}

TEST_F(FaultTransportTest, DelaysInOrder) {
  faults.set_all({.delay = 500});
  arrive(1, 3);
  EXPECT_TRUE(take(faults).empty());
  now_of_test += 499;
  EXPECT_TRUE(take(faults).empty());

  now_of_test += 1;

  EXPECT_EQ(numbers(take(faults)), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(wire.lent(), 0U);
}

TEST_F(FaultTransportTest, LetsLaterFramesOvertake) {
  faults.set_all({.reorder_ppm = 300'000, .reorder_delay = 1000});
  arrive(1, 100);

  std::vector<int> all = numbers(take(faults));
  now_of_test += 1000;
  const std::vector<int> later = numbers(take(faults));
  all.insert(all.end(), later.begin(), later.end());

  EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), 100U);
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
}

TEST_F(FaultTransportTest, HoldsABoundedNumber) {
  faults.set_all({.delay = 500});
  arrive(1, static_cast<int>(FaultTransport::kHeldMax) + 10);

  EXPECT_TRUE(take(faults).empty());

  EXPECT_EQ(faults.fault_counters().overrun, 10U);
  EXPECT_EQ(wire.lent(), 0U);
}

TEST_F(FaultTransportTest, DoesTheSameAgainWithTheSameSeed) {
  const auto run = [](std::uint64_t seed) {
    now_of_test = 1000;
    Wire wire_again;
    FaultTransport under_test(wire_again, seed, &test_clock);
    under_test.set_all({.drop_ppm = 100'000,
                        .corrupt_ppm = 100'000,
                        .duplicate_ppm = 100'000,
                        .reorder_ppm = 100'000,
                        .reorder_delay = 10});
    std::vector<Bytes> all;
    for (int turn = 0; turn < 50; ++turn) {
      for (std::uint8_t i = 0; i < 10; ++i) wire_again.arrive(1, i);
      RxFrame frames[64];
      const std::size_t got = under_test.rx_burst(frames);
      for (const RxFrame& f : std::span(frames).first(got)) {
        all.emplace_back(f.bytes.begin(), f.bytes.end());
      }
      under_test.rx_release(std::span(frames).first(got));
      ++now_of_test;
    }
    return all;
  };

  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace phalanx::transport
