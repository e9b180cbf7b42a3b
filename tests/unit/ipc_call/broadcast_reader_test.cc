// A log that no server of ours wrote: whatever its bytes are, a reader stays inside it.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "ipc/base/fd.h"
#include "ipc/call/client/broadcast.h"
#include "ipc/shm/mirror_map.h"

namespace phalanx::call {
namespace {

constexpr std::uint64_t kLogBytes = shm::kChannelRingBytesMin;

/// The log's memory, as its writer sees it, and a reader of it.
struct ReadLog : testing::Test {
  void SetUp() override {
    memory.reset(shm::make_sealed_memory("log", kPageBytes + kLogBytes, kPageBytes + kLogBytes));
    void* at =
        mmap(nullptr, kPageBytes + kLogBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
    ASSERT_NE(at, MAP_FAILED);
    log = static_cast<BroadcastPage*>(at);
    data = static_cast<std::byte*>(at) + kPageBytes;
    log->magic = kMagic;
    log->version = kVersion;
    log->struct_bytes = sizeof(BroadcastPage);
    log->ring_bytes = kLogBytes;
    page.state = static_cast<std::uint32_t>(State::Open);
    ASSERT_EQ(reader.map(memory.get(), page), PHX_OK);
  }
  void TearDown() override {
    reader.unmap();
    munmap(log, kPageBytes + kLogBytes);
  }
  /// A record at the tail, which says that its payload has so many bytes.
  void write(std::uint32_t id, std::uint32_t length) {
    std::byte* at = data + log->tail.position % kLogBytes;
    const EventBody body{.id = id, .reserved = 0};
    std::memcpy(at, &length, sizeof length);
    std::memcpy(at + shm::kRingPrefixBytes, &body, sizeof body);
    log->tail.position += shm::ring_record_bytes(sizeof body);
  }
  phx_status take(std::size_t most) {
    count = 99;
    return reader.take(events, most, count);
  }

  Fd memory;
  BroadcastPage* log = nullptr;
  std::byte* data = nullptr;
  Page page{};
  BroadcastReader reader;
  phx_ipc_event events[512];
  std::size_t count = 0;
};

TEST_F(ReadLog, GivesWhatCameBeforeALieAndThenNothing) {
  write(1, sizeof(EventBody));
  write(2, sizeof(EventBody));
  write(3, 1u << 30);

  EXPECT_EQ(take(16), PHX_OK);
  ASSERT_EQ(count, 2U);
  EXPECT_EQ(events[1].id, 2U);
  EXPECT_EQ(take(16), PHX_BROKEN);
  EXPECT_EQ(count, 0U);
}

TEST_F(ReadLog, GivesNoMoreThanIsAskedForAndThenTheRest) {
  for (std::uint32_t id = 0; id < 5; ++id) write(id, sizeof(EventBody));

  EXPECT_EQ(take(3), PHX_OK);
  EXPECT_EQ(count, 3U);
  EXPECT_EQ(take(16), PHX_OK);
  ASSERT_EQ(count, 2U);
  EXPECT_EQ(events[0].id, 3U);
  EXPECT_EQ(take(16), PHX_TRY_AGAIN);
}

TEST_F(ReadLog, GivesNothingOfWhatMayBeWrittenOverByNow) {
  for (std::uint32_t id = 0; id < 5; ++id) write(id, sizeof(EventBody));
  ASSERT_TRUE(reader.refresh(std::memory_order_acquire));
  page.state = static_cast<std::uint32_t>(State::Evicted);

  EXPECT_EQ(take(3), PHX_TRY_AGAIN);
  EXPECT_EQ(count, 0U);
}

TEST_F(ReadLog, StaysInsideItWhateverItsBytesAre) {
  std::mt19937_64 random(7);
  std::size_t taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    // Mostly lengths that could be: else nothing would be taken.
    for (std::uint64_t at = 0; at < kLogBytes; at += 8) {
      const auto word = random() % 8 == 0 ? random() : random() % 64;
      std::memcpy(data + at, &word, sizeof word);
    }
    log->tail.position += random() % 16 == 0 ? random() : random() % 64 * 8;
    const phx_status status = take(1 + random() % 512);
    if (status != PHX_OK) {  // A lie ends a connection: the next round has a new one.
      reader.unmap();
      log->tail.position = page.broadcast_head.position = random() % 512 * 8;
      ASSERT_EQ(reader.map(memory.get(), page), PHX_OK);
      continue;
    }
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_LE(events[i].bytes, kLogBytes);
      const auto* bytes = static_cast<const unsigned char*>(events[i].data);
      volatile unsigned sum = 0;
      for (std::size_t b = 0; b < events[i].bytes; ++b) sum = sum + bytes[b];
    }
    taken += count;
    reader.release(std::memory_order_release);
  }
  EXPECT_GT(taken, 1000U);
}

}  // namespace
}  // namespace phalanx::call
