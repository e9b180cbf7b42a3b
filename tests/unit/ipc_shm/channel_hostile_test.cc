#include <gtest/gtest.h>
#include <sys/mman.h>

#include <random>
#include <vector>

#include "ipc/shm/channel.h"

namespace phalanx::shm {
namespace {

constexpr std::uint64_t kRing = 4096;

/// A client that writes what it likes, wherever it likes.
struct Hostile {
  Hostile()
      : worker(WorkerChannel::create(
                   {.submit_bytes = kRing, .delivery_bytes = kRing, .message_bytes_max = 8'000})
                   .value()) {
    const auto& g = worker.geometry();
    bytes = g.page_bytes + g.submit_bytes + g.delivery_bytes;
    memory = static_cast<std::byte*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, worker.memory_fd(), 0));
    bulk_bytes = g.submit_bulk_bytes + g.delivery_bulk_bytes;
    bulk = static_cast<std::byte*>(
        mmap(nullptr, bulk_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, worker.bulk_fd(), 0));
    page = reinterpret_cast<ChannelPage*>(memory);
  }
  ~Hostile() {
    munmap(memory, bytes);
    munmap(bulk, bulk_bytes);
  }
  Hostile(const Hostile&) = delete;
  Hostile& operator=(const Hostile&) = delete;

  void put_record(std::uint32_t length, std::uint32_t tag) {
    std::memcpy(memory + page->geometry.page_bytes, &length, 4);
    std::memcpy(memory + page->geometry.page_bytes + 4, &tag, 4);
  }

  WorkerChannel worker;
  std::uint64_t bytes = 0, bulk_bytes = 0;
  std::byte* memory = nullptr;
  std::byte* bulk = nullptr;
  ChannelPage* page = nullptr;
};

TEST(HostileClient, BreaksOnlyItsChannelByAnUnknownKind) {
  for (const std::uint32_t kind : {0u, 6u, 127u, 255u}) {
    Hostile client;
    client.put_record(8, kind);
    client.page->submit.tail.position = 16;
    Submission s;

    EXPECT_FALSE(client.worker.peek_submission(s)) << kind;
    EXPECT_TRUE(client.worker.broken()) << kind;
  }
}

TEST(HostileClient, BreaksItsChannelByABodyThatIsTooShortOrTooLong) {
  struct {
    std::uint32_t length;
    SubmissionKind kind;
  } const cases[] = {
      {7, SubmissionKind::Leave}, {8 + 129, SubmissionKind::Join}, {0, SubmissionKind::Multicast}};
  for (const auto& c : cases) {
    Hostile client;
    client.put_record(c.length, static_cast<std::uint32_t>(c.kind));
    client.page->submit.tail.position = ring_record_bytes(c.length);
    Submission s;

    EXPECT_FALSE(client.worker.peek_submission(s)) << c.length;
    EXPECT_TRUE(client.worker.broken()) << c.length;
  }
}

// A body that was reserved and came out shorter says so in its last word: also a lie at times.
TEST(HostileClient, BreaksItsChannelByAShortenedBodyThatIsNot) {
  struct {
    std::uint32_t length;
    std::uint64_t says;
    bool sound;
  } const cases[] = {{8, 0, false},           {15, 0, false},     {16, 8, true},
                     {16, 9, false},          {16, 7, false},     {64, 56, true},
                     {64, 57, false},         {57, 56, true},     {64, ~0ull, false},
                     {64, 1ull << 32, false}, {4000, 3992, true}, {64, 8, true}};
  for (const auto& c : cases) {
    Hostile client;
    client.put_record(c.length, make_tag(1, kBodyShortened));
    const std::uint64_t record = ring_record_bytes(c.length);
    std::memcpy(client.memory + client.page->geometry.page_bytes + record - 8, &c.says, 8);
    client.page->submit.tail.position = record;
    Submission s;

    EXPECT_EQ(client.worker.peek_submission(s), c.sound) << c.length << ' ' << c.says;
    EXPECT_EQ(client.worker.broken(), !c.sound) << c.length << ' ' << c.says;
    if (!c.sound) continue;
    EXPECT_EQ(s.payload.size(), c.says - sizeof(SubmissionBody));
    EXPECT_EQ(s.flags, 0);
  }
}

TEST(HostileClient, BreaksItsChannelByABulkBodyThatIsNotThere) {
  Hostile client;
  client.put_record(0, make_tag(1, kBodyInBulk));
  client.page->submit.tail.position = 8;
  Submission s;

  EXPECT_FALSE(client.worker.peek_submission(s));
  EXPECT_TRUE(client.worker.broken());
}

// The worker keeps its own positions: what a client writes over them has no effect.
TEST(HostileClient, CannotMoveTheWorkersOwnPositions) {
  Hostile client;
  ASSERT_TRUE(client.worker.write_message({.group = 1, .node = 1, .client = 1}, 0, {}));
  (void)client.worker.publish_events();

  client.page->delivery.tail.position = 1u << 30;
  client.page->geometry.delivery_bytes = 1u << 30;
  ASSERT_TRUE(client.worker.write_message({.group = 1, .node = 1, .client = 1}, 0, {}));
  (void)client.worker.publish_events();

  EXPECT_EQ(client.page->delivery.tail.position, 48u);
  EXPECT_FALSE(client.worker.broken());
}

// Random bytes in every shared place between random calls: no access outside the rings (the
// sanitizers judge), bounded work, and payloads that lie inside the mappings and under the limit.
TEST(HostileClient, RandomBytesNeverHurtTheWorker) {
  std::mt19937_64 random(7'919);
  std::vector<std::byte> copy(8'000);
  for (int round = 0; round < 400; ++round) {
    Hostile client;
    for (std::uint64_t i = sizeof(ChannelPage); i < client.bytes; i += 4) {
      const auto word = static_cast<std::uint32_t>(random() >> (random() % 3 == 0 ? 32 : 56));
      std::memcpy(client.memory + i, &word, 4);
    }
    for (std::uint64_t i = 0; i < client.bulk_bytes; i += 512) {
      const auto word = static_cast<std::uint32_t>(random() >> (random() % 3 == 0 ? 32 : 52));
      std::memcpy(client.bulk + i, &word, 4);
    }
    for (int step = 0; step < 20; ++step) {
      for (RingIndices* ring : {&client.page->submit, &client.page->delivery,
                                &client.page->submit_bulk, &client.page->delivery_bulk}) {
        if (random() % 2 == 0) ring->tail.position = random() >> (random() % 64) & ~7ull;
        if (random() % 2 == 0) ring->head.position = random() >> (random() % 64) & ~7ull;
      }
      client.page->client_waits = static_cast<std::uint32_t>(random());
      Submission s;
      for (int n = 0; n < 600 && client.worker.peek_submission(s); ++n) {
        ASSERT_LE(s.payload.size(), copy.size());
        if (!s.payload.empty()) std::memcpy(copy.data(), s.payload.data(), s.payload.size());
        client.worker.pop_submission();
      }
      (void)client.worker.release_submissions();
      (void)client.worker.write_message({.group = 1, .node = 1, .client = 1}, 0,
                                        std::span(copy).first(random() % copy.size()));
      (void)client.worker.publish_events();
    }
  }
}

}  // namespace
}  // namespace phalanx::shm
