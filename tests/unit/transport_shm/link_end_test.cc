#include "transport/shm/link_end.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace phalanx::transport::shm {
namespace {

constexpr std::uint32_t kSlots = 8;

/// Two ends over pages of one process; `a_page` and `b_page` can be written by hand.
class LinkEnds : public testing::Test {
 protected:
  void SetUp() override {
    a_.open(*a_page_, *b_page_, frames_);
    b_.open(*b_page_, *a_page_, frames_);
  }
  std::vector<std::uint32_t> receive(LinkEnd& at, std::size_t most) {
    std::vector<std::uint32_t> lengths;
    at.receive(most, [&](std::span<const std::byte> bytes) {
      lengths.push_back(static_cast<std::uint32_t>(bytes.size()));
    });
    return lengths;
  }
  std::vector<std::uint32_t> reclaim(LinkEnd& at) {
    std::vector<std::uint32_t> slots;
    at.reclaim([&](std::uint32_t slot) { slots.push_back(slot); });
    return slots;
  }

  std::array<std::byte, kSlots * 64> memory_{};
  LinkEnd::Frames frames_{.base = memory_.data(), .slots = kSlots, .stride = 64, .frame_bytes = 60};
  std::unique_ptr<LinkPage> a_page_ = std::make_unique<LinkPage>();
  std::unique_ptr<LinkPage> b_page_ = std::make_unique<LinkPage>();
  LinkEnd a_;
  LinkEnd b_;
};

using Lengths = std::vector<std::uint32_t>;
using Slots = std::vector<std::uint32_t>;

TEST_F(LinkEnds, ShowsNothingBeforeItIsPublished) {
  EXPECT_FALSE(a_.publish());
  ASSERT_TRUE(a_.put({.slot = 3, .length = 10}));
  EXPECT_TRUE(receive(b_, 4).empty());

  EXPECT_TRUE(a_.publish());

  EXPECT_TRUE(b_.has_frames());
  EXPECT_EQ(receive(b_, 4), Lengths{10});
  EXPECT_FALSE(a_.publish());
}

TEST_F(LinkEnds, GivesSlotsBackWhenNoneIsLentAnyMore) {
  for (std::uint32_t slot : {5U, 2U}) ASSERT_TRUE(a_.put({.slot = slot, .length = 60}));
  a_.publish();
  ASSERT_EQ(receive(b_, 1), Lengths{60});
  ASSERT_EQ(receive(b_, 1), Lengths{60});

  b_.give_back(1);
  EXPECT_TRUE(reclaim(a_).empty());
  b_.give_back(1);

  EXPECT_EQ(reclaim(a_), (Slots{5, 2}));
  EXPECT_TRUE(reclaim(a_).empty());
}

TEST_F(LinkEnds, TakesARingfulAndNoMoreUntilSomeCameBack) {
  for (std::uint32_t i = 0; i < kRingFrames; ++i) {
    ASSERT_TRUE(a_.put({.slot = i % kSlots, .length = 1 + i % 60}));
  }
  EXPECT_FALSE(a_.put({.slot = 0, .length = 1}));
  a_.publish();

  EXPECT_EQ(receive(b_, 10).size(), 10u);
  EXPECT_FALSE(a_.put({.slot = 0, .length = 1}));
  b_.give_back(10);
  EXPECT_EQ(reclaim(a_).size(), 10u);
  EXPECT_TRUE(a_.put({.slot = 0, .length = 1}));
}

TEST_F(LinkEnds, GoesRoundItsRing) {
  std::uint32_t number = 0;
  for (std::uint32_t burst = 0; burst < 3 * kRingFrames / 7; ++burst) {
    Lengths expected;
    for (int i = 0; i < 7; ++i, ++number) {
      expected.push_back(1 + number % 60);
      ASSERT_TRUE(a_.put({.slot = number % kSlots, .length = expected.back()}));
    }
    a_.publish();
    ASSERT_EQ(receive(b_, 100), expected);
    b_.give_back(7);
    ASSERT_EQ(reclaim(a_).size(), 7u);
  }
}

TEST_F(LinkEnds, DropsWhatThePeerHoldsWhenItCloses) {
  for (std::uint32_t slot : {1U, 4U, 6U}) ASSERT_TRUE(a_.put({.slot = slot, .length = 9}));
  a_.publish();
  (void)receive(b_, 1);
  b_.give_back(1);
  ASSERT_EQ(reclaim(a_), Slots{1});

  Slots dropped;
  a_.close([&](std::uint32_t slot) { dropped.push_back(slot); });

  EXPECT_EQ(dropped, (Slots{4, 6}));
  EXPECT_FALSE(a_.is_open());
}

TEST_F(LinkEnds, BreaksOnASlotThatIsNotThere) {
  b_page_->ring[0] = Descriptor{.slot = kSlots - 1, .length = 60}.word();
  b_page_->ring[1] = Descriptor{.slot = kSlots, .length = 1}.word();
  b_page_->ring[2] = Descriptor{.slot = 0, .length = 1}.word();
  b_page_->sent = 3;

  EXPECT_EQ(receive(a_, 10), Lengths{60});

  EXPECT_TRUE(a_.broken());
  EXPECT_EQ(a_.lent(), 1u);
}

TEST_F(LinkEnds, BreaksOnALengthThatCannotBe) {
  for (const std::uint32_t length : {0U, 61U, 0xffffffffU}) {
    LinkEnd end;
    end.open(*a_page_, *b_page_, frames_);
    b_page_->ring[0] = Descriptor{.slot = 0, .length = length}.word();
    b_page_->sent = 1;
    EXPECT_TRUE(receive(end, 10).empty());
    EXPECT_TRUE(end.broken()) << length;
  }
}

TEST_F(LinkEnds, BreaksOnMoreFramesThanARingHas) {
  for (const std::uint64_t sent : {std::uint64_t{kRingFrames} + 1, ~std::uint64_t{0}}) {
    LinkEnd end;
    end.open(*a_page_, *b_page_, frames_);
    b_page_->sent = sent;
    EXPECT_TRUE(receive(end, 10).empty());
    EXPECT_TRUE(end.broken()) << sent;
  }
}

// More than was shown, or less than before.
TEST_F(LinkEnds, BreaksWhenMoreComesBackThanWasSent) {
  ASSERT_TRUE(a_.put({.slot = 1, .length = 1}));
  a_.publish();
  ASSERT_TRUE(a_.put({.slot = 2, .length = 1}));
  b_page_->taken = 2;
  EXPECT_TRUE(reclaim(a_).empty());
  EXPECT_TRUE(a_.broken());

  LinkEnd again;
  again.open(*a_page_, *b_page_, frames_);
  b_page_->taken = ~std::uint64_t{0};
  again.reclaim([](std::uint32_t) { FAIL(); });
  EXPECT_TRUE(again.broken());
}

}  // namespace
}  // namespace phalanx::transport::shm
