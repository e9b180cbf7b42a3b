#include "ipc/shm/spsc_byte_ring.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

#include "ipc/shm/mirrored_ring.h"

namespace phalanx::shm {
namespace {

struct Ring {
  explicit Ring(std::uint64_t bytes) : memory(MirroredRing::create(bytes).value()) {}

  MirroredRing memory;
  RingIndices indices;
  SpscProducer producer{indices, memory.data(), memory.bytes()};
  SpscConsumer consumer{indices, memory.data(), memory.bytes()};
};

std::vector<std::byte> pattern(std::size_t bytes, std::size_t seed) {
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(seed * 31 + i);
  return out;
}

TEST(SpscByteRing, ShowsNothingBeforePublish) {
  Ring ring(4096);
  RingRecord record;

  ASSERT_TRUE(ring.producer.write(7, pattern(10, 1)));
  EXPECT_FALSE(ring.consumer.peek(record));
  EXPECT_TRUE(ring.producer.publish());

  ASSERT_TRUE(ring.consumer.peek(record));
  EXPECT_EQ(record.tag, 7u);
  EXPECT_EQ(std::vector(record.payload.begin(), record.payload.end()), pattern(10, 1));
  EXPECT_FALSE(ring.producer.publish());
}

TEST(SpscByteRing, KeepsARecordInOnePieceAcrossTheEnd) {
  Ring ring(4096);
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t bytes = i * 37 % 3000;
    ASSERT_TRUE(ring.producer.write(static_cast<std::uint32_t>(i), pattern(bytes, i)));
    ring.producer.publish();

    RingRecord record;
    ASSERT_TRUE(ring.consumer.peek(record));
    EXPECT_EQ(record.tag, i);
    EXPECT_EQ(std::vector(record.payload.begin(), record.payload.end()), pattern(bytes, i));
    ring.consumer.pop();
    EXPECT_FALSE(ring.consumer.peek(record));
    ring.consumer.release();
  }
  EXPECT_FALSE(ring.producer.broken() || ring.consumer.broken());
}

// The smallest ring that is of any use: it holds two records, and every wrap is exercised.
TEST(SpscByteRing, OfTwoRecordsRefusesTheThirdUntilOneIsReleased) {
  Ring ring(4096);
  const auto half = pattern(2048 - kRingPrefixBytes, 5);
  RingRecord record;

  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(ring.producer.write(1, half));
    ASSERT_TRUE(ring.producer.write(2, half));
    EXPECT_FALSE(ring.producer.write(3, {}));
    ring.producer.publish();
    ASSERT_TRUE(ring.consumer.peek(record));
    ring.consumer.pop();
    EXPECT_FALSE(ring.producer.write(3, half)) << "popped, but not released";
    ring.consumer.release();
    ASSERT_TRUE(ring.producer.write(3, half));
    ring.producer.publish();
    for (std::uint32_t tag = 2; tag <= 3; ++tag) {
      ASSERT_TRUE(ring.consumer.peek(record));
      EXPECT_EQ(record.tag, tag);
      ring.consumer.pop();
    }
    ring.consumer.release();
  }
}

// A reader may keep the first of two records while it is done with the second.
TEST(SpscByteRing, ReleasesOnlyUpToWhatIsStillRead) {
  Ring ring(4096);
  RingRecord record;
  std::uint64_t ends[2];
  for (std::uint64_t& end : ends) {
    ASSERT_TRUE(ring.producer.write(0, pattern(1992, 1)));
    ring.producer.publish();
    ASSERT_TRUE(ring.consumer.peek(record));
    ring.consumer.pop();
    end = ring.consumer.popped_bytes();
  }

  EXPECT_FALSE(ring.producer.write(0, pattern(1992, 2)));
  EXPECT_TRUE(ring.consumer.release_to(ends[0]));
  EXPECT_FALSE(ring.consumer.release_to(ends[0]));

  EXPECT_TRUE(ring.producer.write(0, pattern(1992, 2)));
  EXPECT_FALSE(ring.producer.write(0, pattern(1992, 2)));
  EXPECT_EQ(ring.consumer.unreleased_bytes(), 2000u);
  EXPECT_TRUE(ring.consumer.release_to(ends[1]));
  EXPECT_TRUE(ring.producer.write(0, pattern(1992, 2)));
}

TEST(SpscByteRing, TakesARecordThatFillsItWholly) {
  Ring ring(4096);

  EXPECT_TRUE(ring.producer.fits(4088));
  EXPECT_FALSE(ring.producer.fits(4089));
  EXPECT_EQ(ring.producer.reserve(4089), nullptr);
  ASSERT_TRUE(ring.producer.write(1, pattern(4088, 2)));
  EXPECT_EQ(ring.producer.free_bytes(), 0u);
  EXPECT_FALSE(ring.producer.write(1, {}));
}

TEST(SpscByteRing, AReservedRecordMayBecomeShorter) {
  Ring ring(4096);
  ASSERT_NE(ring.producer.reserve(1000), nullptr);
  ring.producer.commit(10, 4);
  ASSERT_TRUE(ring.producer.write(5, pattern(3, 1)));
  ring.producer.publish();

  RingRecord record;
  ASSERT_TRUE(ring.consumer.peek(record));
  EXPECT_EQ(record.payload.size(), 10u);
  ring.consumer.pop();
  ASSERT_TRUE(ring.consumer.peek(record));
  EXPECT_EQ(record.tag, 5u);
}

// Run under ThreadSanitizer too. Both threads yield when they cannot go on: they may share one
// core.
TEST(SpscByteRing, CarriesRecordsBetweenTwoThreadsInOrder) {
  constexpr std::uint32_t kRecords = 20'000;
  Ring ring(8192);

  std::thread writer([&] {
    for (std::uint32_t i = 0; i < kRecords; ++i) {
      const std::size_t bytes = i % 300;
      std::byte* room;
      while ((room = ring.producer.reserve(static_cast<std::uint32_t>(bytes))) == nullptr) {
        ring.producer.publish();
        sched_yield();
      }
      for (std::size_t k = 0; k < bytes; ++k) room[k] = static_cast<std::byte>(i + k);
      ring.producer.commit(static_cast<std::uint32_t>(bytes), i);
      if (i % 7 == 0) ring.producer.publish();
    }
    ring.producer.publish();
  });
  std::uint32_t wrong = 0;
  for (std::uint32_t expected = 0; expected < kRecords;) {
    RingRecord record;
    if (!ring.consumer.peek(record)) {
      ring.consumer.release();
      sched_yield();
      continue;
    }
    wrong += record.tag != expected || record.payload.size() != expected % 300;
    for (std::size_t k = 0; k < record.payload.size(); ++k) {
      wrong += record.payload[k] != static_cast<std::byte>(expected + k);
    }
    ring.consumer.pop();
    if (++expected % 5 == 0) ring.consumer.release();
  }
  writer.join();

  EXPECT_EQ(wrong, 0u);
  EXPECT_FALSE(ring.producer.broken() || ring.consumer.broken());
}

}  // namespace
}  // namespace phalanx::shm
