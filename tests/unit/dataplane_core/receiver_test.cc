#include "dataplane/core/receiver.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dataplane/core/row.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::core {
namespace {

struct ReceiverTest : ::testing::Test {
  ReceiverTest() : ring(std::move(*shm::MirroredRing::create(4096))) {
    rx.reset({ring.data(), ring.bytes()}, 100, 10);
  }
  shm::MirroredRing ring;
  Receiver rx;
};

TEST_F(ReceiverTest, RunsOverContiguousBytesOnly) {
  rx.insert(20, 30);
  EXPECT_EQ(rx.received(), 10u);

  rx.insert(10, 20);
  EXPECT_EQ(rx.received(), 30u);
  EXPECT_TRUE(rx.held().empty());
}

TEST_F(ReceiverTest, TellsFreeFromHeldFromPartial) {
  rx.insert(20, 30);

  EXPECT_EQ(rx.fit(10, 20), Receiver::Fit::Free);
  EXPECT_EQ(rx.fit(22, 28), Receiver::Fit::Held);
  EXPECT_EQ(rx.fit(15, 25), Receiver::Fit::Partial);
  EXPECT_EQ(rx.fit(5, 12), Receiver::Fit::Partial);
  EXPECT_EQ(rx.fit(0, 10), Receiver::Fit::Held);
}

// A range that overlaps held bytes must not change them: they may have been delivered already.
TEST_F(ReceiverTest, FillsOnlyWhatIsNotHeld) {
  std::memset(rx.at(20), 'a', 10);
  rx.insert(20, 30);

  const std::string text(30, 'b');
  rx.fill(10, std::as_bytes(std::span(text)));

  EXPECT_EQ(rx.received(), 40u);
  const std::string got(reinterpret_cast<const char*>(rx.at(10)), 30);
  EXPECT_EQ(got, std::string(10, 'b') + std::string(10, 'a') + std::string(10, 'b'));
}

TEST_F(ReceiverTest, NamesTheGapsBelowAnEnd) {
  rx.insert(20, 30);
  rx.insert(40, 50);
  std::array<wire::Range, 8> gaps;

  const std::size_t count = rx.missing(60, gaps);

  ASSERT_EQ(count, 3u);
  EXPECT_EQ(gaps[0], (wire::Range{10, 20}));
  EXPECT_EQ(gaps[1], (wire::Range{30, 40}));
  EXPECT_EQ(gaps[2], (wire::Range{50, 60}));
}

TEST_F(ReceiverTest, ForgetsWhatIsAboveTheCut) {
  rx.insert(20, 30);
  rx.insert(40, 50);

  rx.drop_above(25);

  ASSERT_EQ(rx.held().size(), 1u);
  EXPECT_EQ(rx.held()[0], (wire::Range{20, 25}));
  EXPECT_EQ(rx.known_end(), 25u);
}

TEST_F(ReceiverTest, SaysWhenItsTableIsFull) {
  for (Position p = 20; p < 20 + 2 * wire::kRangesMax; p += 2) {
    ASSERT_TRUE(rx.has_room(p));
    rx.insert(p, p + 1);
  }

  EXPECT_FALSE(rx.has_room(1000));
  EXPECT_TRUE(rx.has_room(10));
}

// Against a bitmap, with random ranges.
TEST_F(ReceiverTest, AgreesWithABitmap) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    rx.reset({ring.data(), ring.bytes()}, 0, 0);
    std::vector<bool> have(600, false);
    for (int i = 0; i < 100; ++i) {
      const Position from = random() % 500;
      const Position to = from + 1 + random() % 40;
      bool any = false;
      bool all = true;
      for (Position p = from; p < to; ++p) (have[p] ? any : all) = have[p];
      const auto fit = rx.fit(from, to);
      if (all) {
        EXPECT_EQ(fit, Receiver::Fit::Held);
      } else {
        EXPECT_EQ(fit, any ? Receiver::Fit::Partial : Receiver::Fit::Free);
      }
      if (!rx.has_room(from)) continue;
      rx.insert(from, to);
      for (Position p = from; p < to; ++p) have[p] = true;
      Position contiguous = 0;
      while (have[contiguous]) ++contiguous;
      ASSERT_EQ(rx.received(), contiguous);
    }
  }
}

TEST(Row, ComesBackAsItWasWritten) {
  Row row{.received = 1,
          .limit = 2,
          .log_end = 3,
          .stream_end = 4,
          .bulk_end = 5,
          .hash_index = 6,
          .hash = 7,
          .handovers = 8,
          .distrusts_itself = true,
          .orderer = true,
          .origin_count = 2};
  row.origins[0] = {9, 10};
  row.origins[1] = {11, 12};
  std::array<std::byte, kRowBytesMax> bytes;

  const std::size_t length = encode_row(row, bytes);
  Row back;

  ASSERT_TRUE(decode_row({bytes.data(), length}, back));
  EXPECT_EQ(back.limit, 2u);
  EXPECT_EQ(back.origins[1].limit, 12u);
  EXPECT_TRUE(back.orderer && back.distrusts_itself);
  for (std::size_t cut = 0; cut < length; ++cut)
    EXPECT_FALSE(decode_row({bytes.data(), cut}, back));
}

TEST(Nak, RefusesEmptyAndTurnedRanges) {
  Nak nak{.what = Nak::What::Log, .count = 1, .spans = {}};
  nak.spans[0] = {5, 5};
  std::array<std::byte, kNakBytesMax> bytes;
  Nak back;

  EXPECT_FALSE(decode_nak({bytes.data(), encode_nak(nak, bytes)}, back));
  nak.spans[0] = {5, 6};
  EXPECT_TRUE(decode_nak({bytes.data(), encode_nak(nak, bytes)}, back));
}

}  // namespace
}  // namespace phalanx::core
