#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "ipc/shm/mirrored_ring.h"
#include "ipc/shm/spsc_byte_ring.h"

namespace phalanx::shm {
namespace {

constexpr std::uint64_t kBytes = 4096;

struct Victim {
  MirroredRing memory = MirroredRing::create(kBytes).value();
  RingIndices indices;
  SpscProducer producer{indices, memory.data(), kBytes};
  SpscConsumer consumer{indices, memory.data(), kBytes};
};

TEST(HostileProducer, BreaksTheConsumerByATailThatRunsTooFar) {
  Victim v;
  v.indices.tail.position = kBytes + 8;
  RingRecord record;

  EXPECT_FALSE(v.consumer.peek(record));
  EXPECT_TRUE(v.consumer.broken());
}

TEST(HostileProducer, BreaksTheConsumerByATailThatRunsBackwards) {
  Victim v;
  ASSERT_TRUE(v.producer.write(1, {}));
  ASSERT_TRUE(v.producer.write(2, {}));
  v.producer.publish();
  RingRecord record;
  ASSERT_TRUE(v.consumer.peek(record));
  v.consumer.pop();

  v.indices.tail.position = 8;
  EXPECT_FALSE(v.consumer.refresh() && v.consumer.queued_bytes() > 8);

  EXPECT_TRUE(v.consumer.broken());
}

TEST(HostileProducer, BreaksTheConsumerByATailThatIsNoMultipleOfEight) {
  Victim v;
  v.indices.tail.position = 12;
  RingRecord record;

  EXPECT_FALSE(v.consumer.peek(record));
  EXPECT_TRUE(v.consumer.broken());
}

TEST(HostileProducer, BreaksTheConsumerByALengthBeyondTheTail) {
  for (const std::uint32_t length : {9u, 4089u, 0x7fffffffu, 0xffffffffu}) {
    Victim v;
    ASSERT_TRUE(v.producer.write(1, std::vector<std::byte>(8)));
    v.producer.publish();
    std::memcpy(v.memory.data(), &length, sizeof length);
    RingRecord record;

    EXPECT_FALSE(v.consumer.peek(record)) << length;
    EXPECT_TRUE(v.consumer.broken()) << length;
  }
}

TEST(HostileProducer, CannotOverrunWhatWasPoppedButNotReleased) {
  Victim v;
  ASSERT_TRUE(v.producer.write(1, std::vector<std::byte>(2040)));
  v.producer.publish();
  RingRecord record;
  ASSERT_TRUE(v.consumer.peek(record));
  v.consumer.pop();

  v.indices.tail.position = 2048 + kBytes;  // As if the first record had been released.

  EXPECT_FALSE(v.consumer.peek(record));
  EXPECT_TRUE(v.consumer.broken());
}

TEST(HostileConsumer, BreaksTheProducerByAHeadBeyondWhatWasPublished) {
  Victim v;
  ASSERT_TRUE(v.producer.write(1, std::vector<std::byte>(kBytes - 8)));
  v.indices.head.position = kBytes;  // Committed, but never published.

  EXPECT_EQ(v.producer.reserve(8), nullptr);
  EXPECT_TRUE(v.producer.broken());
}

TEST(HostileConsumer, BreaksTheProducerByAHeadThatRunsBackwards) {
  Victim v;
  RingRecord record;
  ASSERT_TRUE(v.producer.write(1, std::vector<std::byte>(2040)));
  v.producer.publish();
  ASSERT_TRUE(v.consumer.peek(record));
  v.consumer.pop();
  v.consumer.release();
  v.producer.refresh();
  ASSERT_FALSE(v.producer.broken());

  v.indices.head.position = 0;
  v.producer.refresh();

  EXPECT_TRUE(v.producer.broken());
}

// Whatever stands in the shared bytes, an end touches only its ring and ends in a known state. The
// sanitizers judge the accesses; a record handed out must lie inside the mapping.
TEST(HostilePeer, RandomBytesNeverLeadOutOfTheRing) {
  std::mt19937_64 random(20'251);
  for (int round = 0; round < 3'000; ++round) {
    Victim v;
    for (std::uint64_t i = 0; i < kBytes; i += 4) {
      const std::uint32_t word =
          static_cast<std::uint32_t>(random() >> (random() % 4 == 0 ? 32 : 54));
      std::memcpy(v.memory.data() + i, &word, sizeof word);
    }
    for (int step = 0; step < 8; ++step) {
      const unsigned shift = static_cast<unsigned>(random() % 64);
      v.indices.tail.position = random() >> shift & ~(random() % 3 == 0 ? 0ull : 7ull);
      v.indices.head.position = random() >> shift;
      RingRecord record;
      for (int n = 0; n < 600 && v.consumer.peek(record); ++n) {
        ASSERT_GE(record.payload.data(), v.memory.data());
        ASSERT_LE(record.payload.data() + record.payload.size(), v.memory.data() + 2 * kBytes);
        v.consumer.pop();
      }
      v.consumer.release();
      if (std::byte* room = v.producer.reserve(static_cast<std::uint32_t>(random() % 5'000))) {
        ASSERT_LT(room, v.memory.data() + kBytes + kRingPrefixBytes);
        v.producer.commit(0, 0);
      }
      v.producer.publish();
    }
  }
}

}  // namespace
}  // namespace phalanx::shm
