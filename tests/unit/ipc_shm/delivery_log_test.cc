#include "ipc/shm/delivery_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "ipc/shm/channel.h"
#include "ipc/shm/client_channel.h"

namespace phalanx::shm {
namespace {

constexpr std::uint64_t kBytes = 64 * 1024;

/// A log and a reader, with the worker's end of its channel.
struct Reading {
  explicit Reading(std::uint64_t bytes = kBytes) : log(DeliveryLog::create(bytes).value()) {
    ChannelOptions options;
    options.log_bytes = log->bytes();
    worker = WorkerChannel::create(options).value();
    const bool opened = client.open(worker.memory_fd(), dup(worker.doorbell_fd()), worker.bulk_fd(),
                                    worker.geometry(), log->fd());
    PHX_CHECK(opened);
  }
  void join() {
    log->events().publish();
    worker.join_log(seen = log->tail());
  }
  bool write(const std::string& text) {
    return log->events().write_message({.group = 1, .node = 2, .client = 3}, 0,
                                       std::as_bytes(std::span(text)));
  }
  /// What the worker does when there is no room, with one reader that may lag by all of the log.
  void make_room() {
    log->events().publish();
    seen = worker.log_position(seen, log->tail());
    log->let_go(seen);
  }
  std::vector<std::string> read() {
    std::vector<std::string> texts;
    while (client.refresh_events()) {
      BulkRecord record;
      if (!client.peek_event(record)) break;
      texts.emplace_back(reinterpret_cast<const char*>(record.body.data()) + sizeof(MessageEvent),
                         record.body.size() - sizeof(MessageEvent));
      client.pop_event();
      if (client.release_is_due()) client.release_events();
    }
    client.release_events();
    return texts;
  }

  std::unique_ptr<DeliveryLog> log;
  WorkerChannel worker;
  ClientChannel client;
  std::uint64_t seen = 0;
};

TEST(DeliveryLog, IsReadFromWhereTheReaderJoined) {
  Reading r;
  ASSERT_TRUE(r.write("before"));
  EXPECT_TRUE(r.read().empty());
  r.join();
  ASSERT_TRUE(r.write("one"));
  EXPECT_TRUE(r.read().empty());  // Not published.
  ASSERT_TRUE(r.write(""));
  r.log->events().publish();
  EXPECT_EQ(r.read(), (std::vector<std::string>{"one", ""}));
  EXPECT_FALSE(r.client.broken());
}

TEST(DeliveryLog, GoesRoundAndHoldsWhatIsLongerThanAPiece) {
  Reading r(1u << 20);
  r.join();
  const std::string text(100'000, 'x');
  for (int i = 0; i < 50; ++i) {
    const std::string small = "number " + std::to_string(i);
    while (!r.write(small)) r.make_room();
    while (!r.write(text)) r.make_room();
    r.log->events().publish();
    ASSERT_EQ(r.read(), (std::vector<std::string>{small, text})) << i;
  }
}

// What a reader was not quick enough to copy is never shown to it, however it was written over.
TEST(DeliveryLog, AnEvictedReaderSeesNothingThatMayBeWrittenOver) {
  Reading r;
  r.join();
  ASSERT_TRUE(r.write("one"));
  ASSERT_TRUE(r.write("two"));
  r.log->events().publish();
  ASSERT_TRUE(r.client.refresh_events());
  BulkRecord record;
  ASSERT_TRUE(r.client.peek_event(record));  // Both are copied.
  ASSERT_TRUE(r.write("three"));
  r.log->events().publish();

  (void)r.worker.evict(EvictReason::Lagged);
  r.log->let_go(r.log->tail());
  for (int i = 0; i < 5000; ++i) {
    while (!r.write("written over")) {
      r.log->events().publish();
      r.log->let_go(r.log->tail());
    }
  }
  r.log->events().publish();

  EXPECT_EQ(r.read(), (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(r.client.broken());
  EXPECT_EQ(r.client.state(), ChannelState::Evicted);
}

TEST(DeliveryLog, AReaderThatLiesAboutItsPositionBreaksItsChannel) {
  for (const std::uint64_t lie : {std::uint64_t{8}, std::uint64_t{1} << 40, std::uint64_t{3}}) {
    Reading r;
    r.join();
    void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r.worker.memory_fd(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    static_cast<ChannelPage*>(memory)->log_head.position = lie;
    EXPECT_EQ(r.worker.log_position(r.seen, r.log->tail()), r.seen) << lie;
    EXPECT_TRUE(r.worker.broken()) << lie;
    munmap(memory, 4096);
  }
}

TEST(DeliveryLog, WhatItsClientsGetCannotBeMadeWritable) {
  Reading r;
  const int fd = r.log->fd();
  const std::uint64_t bytes = kDeliveryLogPageBytes + r.log->bytes();
  const auto refused = [](const void* mapped) { return mapped == MAP_FAILED; };
  EXPECT_TRUE(refused(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
  void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_NE(mprotect(mapped, bytes, PROT_READ | PROT_WRITE), 0);
  munmap(mapped, bytes);
  EXPECT_LT(pwrite(fd, "x", 1, 0), 0);
  EXPECT_NE(ftruncate(fd, 0), 0);
  EXPECT_NE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
  EXPECT_NE(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
  // Opened anew for writing, as its owner may: nothing is written through that either.
  const Fd again(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
  if (!again) return;
  EXPECT_TRUE(refused(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0)));
  EXPECT_LT(pwrite(again.get(), "x", 1, 0), 0);
  EXPECT_NE(ftruncate(again.get(), 0), 0);
  EXPECT_NE(fallocate(again.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
}

TEST(DeliveryLog, IsRefusedByAClientWhenItIsNotSealed) {
  const Fd fake(memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(fake.get(), static_cast<off_t>(kDeliveryLogPageBytes + kBytes)), 0);
  ChannelOptions options;
  options.log_bytes = kBytes;
  auto worker = WorkerChannel::create(options).value();
  ClientChannel client;
  EXPECT_FALSE(client.open(worker.memory_fd(), dup(worker.doorbell_fd()), worker.bulk_fd(),
                           worker.geometry(), fake.get()));
  EXPECT_EQ(errno, EPROTO);
}

// A writer that does not wait, and a reader that is slow at times: what it sees is whole, in order
// and without a gap until it is evicted.
TEST(DeliveryLog, AReaderBesideItsWriterSeesWholeMessagesUntilItIsEvicted) {
  Reading r;
  r.join();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t n = 0; !stop.load(); ++n) {
      std::string text = std::to_string(n) + std::string(n % 900, 'a');
      while (!r.write(text)) {
        r.log->events().publish();
        r.seen = r.worker.log_position(r.seen, r.log->tail());
        if (r.log->tail() - r.seen > kBytes / 8 * 7) {
          (void)r.worker.evict(EvictReason::Lagged);
          r.log->let_go(r.log->tail());
        } else {
          r.log->let_go(r.seen);
        }
      }
      if (n % 16 == 0) r.log->events().publish();
    }
  });
  std::uint64_t next = 0;
  while (r.client.state() == ChannelState::Open && next < 200'000) {
    for (const std::string& text : r.read()) {
      EXPECT_EQ(text, std::to_string(next) + std::string(next % 900, 'a'));
      ++next;
    }
    if (next > 50'000) usleep(20'000);  // From here on it cannot keep up.
  }
  EXPECT_EQ(r.client.state(), ChannelState::Evicted);
  EXPECT_FALSE(r.client.broken());
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace phalanx::shm
