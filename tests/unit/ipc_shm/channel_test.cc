#include "ipc/shm/channel.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "ipc/shm/client_channel.h"

namespace phalanx::shm {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Pair {
  explicit Pair(const ChannelOptions& options = {})
      : worker(WorkerChannel::create(options).value()) {
    const bool opened = client.open(worker.memory_fd(), dup(worker.doorbell_fd()), worker.bulk_fd(),
                                    worker.geometry());
    PHX_CHECK(opened);
  }

  bool submit(SubmissionKind kind, GroupId group, const std::string& payload,
              std::uint8_t flags = 0) {
    std::byte* room = client.reserve_submission(static_cast<std::uint32_t>(8 + payload.size()));
    if (room == nullptr) return false;
    std::memcpy(room, &group, 8);
    std::memcpy(room + 8, payload.data(), payload.size());
    client.commit_submission(kind, flags);
    client.publish_submissions();
    return true;
  }

  WorkerChannel worker;
  ClientChannel client;
};

TEST(Channel, CarriesSubmissionsToTheWorker) {
  Pair pair;
  ASSERT_TRUE(pair.submit(SubmissionKind::Join, 0, "words"));
  ASSERT_TRUE(pair.submit(SubmissionKind::Multicast, 42, "hello", kSubmissionSafe));

  Submission s;
  ASSERT_TRUE(pair.worker.peek_submission(s));
  EXPECT_EQ(s.kind, SubmissionKind::Join);
  EXPECT_EQ(text_of(s.payload), "words");
  pair.worker.pop_submission();
  ASSERT_TRUE(pair.worker.peek_submission(s));
  EXPECT_EQ(s.kind, SubmissionKind::Multicast);
  EXPECT_EQ(s.flags, kSubmissionSafe);
  EXPECT_EQ(s.group, 42u);
  EXPECT_EQ(text_of(s.payload), "hello");
  pair.worker.pop_submission();
  EXPECT_FALSE(pair.worker.peek_submission(s));
  EXPECT_FALSE(pair.worker.broken());
}

TEST(Channel, CarriesEventsToTheClient) {
  Pair pair;
  const GroupMember member{.node = 1, .client = 2, .pid = 3, .reason = MemberReason::Joined};
  ASSERT_TRUE(pair.worker.write_message({.group = 7, .node = 1, .client = 2}, kEventSafe,
                                        bytes_of("payload")));
  ASSERT_TRUE(
      pair.worker.events().write_group_view(7, {&member, 1}, {}, {&member, 1}, bytes_of("words")));
  ASSERT_TRUE(pair.worker.events().write_transitional());
  EXPECT_FALSE(pair.client.refresh_events());
  EXPECT_FALSE(pair.worker.publish_events());

  BulkRecord record;
  ASSERT_TRUE(pair.client.peek_event(record));
  EXPECT_EQ(record.kind, static_cast<std::uint8_t>(EventKind::Message));
  EXPECT_EQ(record.flags, kEventSafe);
  EXPECT_EQ(text_of(record.body.subspan(sizeof(MessageEvent))), "payload");
  pair.client.pop_event();
  ASSERT_TRUE(pair.client.peek_event(record));
  GroupViewEvent view;
  std::memcpy(&view, record.body.data(), sizeof view);
  EXPECT_EQ(view.members + view.joined + view.left, 2u);
  EXPECT_EQ(text_of(record.body.last(view.name_bytes)), "words");
  pair.client.pop_event();
  ASSERT_TRUE(pair.client.peek_event(record));
  EXPECT_EQ(record.kind, static_cast<std::uint8_t>(EventKind::Transitional));
  pair.client.pop_event();
  EXPECT_FALSE(pair.client.peek_event(record));
}

TEST(Channel, PutsRecordsOverHalfARingIntoTheBulkSegmentInOrder) {
  Pair pair({.submit_bytes = 4096, .delivery_bytes = 4096, .message_bytes_max = 100'000});
  ASSERT_GE(pair.worker.bulk_fd(), 0);
  for (int round = 0; round < 10; ++round) {
    const std::string big(100'000 - static_cast<std::size_t>(round),
                          static_cast<char>('a' + round));
    ASSERT_TRUE(pair.submit(SubmissionKind::Multicast, 1, "before"));
    ASSERT_TRUE(pair.submit(SubmissionKind::Multicast, 2, big));
    ASSERT_TRUE(pair.submit(SubmissionKind::Multicast, 3, "after"));

    for (GroupId group = 1; group <= 3; ++group) {
      Submission s;
      ASSERT_TRUE(pair.worker.peek_submission(s));
      const std::string expected = group == 1 ? "before" : group == 2 ? big : "after";
      EXPECT_EQ(s.group, group);
      EXPECT_EQ(text_of(s.payload), expected);
      ASSERT_TRUE(
          pair.worker.write_message({.group = group, .node = 1, .client = 1}, 0, s.payload));
      pair.worker.pop_submission();
    }
    (void)pair.worker.release_submissions();
    (void)pair.worker.publish_events();
    for (GroupId group = 1; group <= 3; ++group) {
      BulkRecord record;
      ASSERT_TRUE(pair.client.peek_event(record));
      EXPECT_EQ(text_of(record.body.subspan(sizeof(MessageEvent))), group == 1   ? "before"
                                                                    : group == 2 ? big
                                                                                 : "after");
      pair.client.pop_event();
    }
    pair.client.release_events();
  }
}

TEST(Channel, FullForTwoRecordsTakesTheThirdAfterARelease) {
  Pair pair({.submit_bytes = 4096, .delivery_bytes = 4096, .message_bytes_max = 2'000});
  const std::string half(2048 - 8 - 8, 'x');
  ASSERT_TRUE(pair.submit(SubmissionKind::Multicast, 1, half.substr(0, 2'000)));
  ASSERT_TRUE(pair.submit(SubmissionKind::Multicast, 2, half.substr(0, 2'000)));
  EXPECT_FALSE(pair.submit(SubmissionKind::Multicast, 3, half.substr(0, 2'000)));
  pair.client.wait_for(kWaitsForRoom);

  Submission s;
  ASSERT_TRUE(pair.worker.peek_submission(s));
  pair.worker.pop_submission();
  EXPECT_TRUE(pair.worker.release_submissions()) << "the client waits for room";

  EXPECT_TRUE(pair.submit(SubmissionKind::Multicast, 3, half.substr(0, 2'000)));
}

TEST(Channel, WakesTheClientOnceForASleep) {
  Pair pair;
  const MessageEvent message{.group = 1, .node = 1, .client = 1};
  pair.client.wait_for(kWaitsForEvent);

  ASSERT_TRUE(pair.worker.write_message(message, 0, {}));
  EXPECT_TRUE(pair.worker.publish_events());
  ASSERT_TRUE(pair.worker.write_message(message, 0, {}));
  EXPECT_FALSE(pair.worker.publish_events());

  EXPECT_FALSE(pair.client.wait_no_more(kWaitsForEvent)) << "the worker took it";
}

TEST(Channel, RingsTheDoorbellOnlyOfAWorkerThatSleeps) {
  Pair pair;
  pollfd doorbell{.fd = pair.worker.doorbell_fd(), .events = POLLIN, .revents = 0};
  ASSERT_TRUE(pair.submit(SubmissionKind::Leave, 1, ""));
  EXPECT_EQ(poll(&doorbell, 1, 0), 0);

  pair.worker.set_worker_sleeping(true);
  ASSERT_TRUE(pair.submit(SubmissionKind::Leave, 1, ""));

  EXPECT_EQ(poll(&doorbell, 1, 0), 1);
}

TEST(Channel, PublishesWithoutAFenceOnlyWhereTheWorkerMakesIt) {
  for (const bool made : {false, true}) {
    Pair pair({.fences = made});
    EXPECT_FALSE(pair.client.is_fenced()) << "nobody said that this process is registered";

    pair.client.trust_fences();

    EXPECT_EQ(pair.client.is_fenced(), made);
    EXPECT_EQ(pair.worker.fences(), made);
    pair.worker.set_worker_sleeping(true);
    ASSERT_TRUE(pair.submit(SubmissionKind::Leave, 1, ""));
    pollfd doorbell{.fd = pair.worker.doorbell_fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&doorbell, 1, 0), 1);
  }
}

TEST(Channel, ShowsEvictionOnlyByItsControlWordAndKeepsWhatIsQueued) {
  Pair pair;
  ASSERT_TRUE(pair.worker.write_message({.group = 1, .node = 1, .client = 1}, 0, {}));
  pair.client.wait_for(kWaitsForEvent);

  EXPECT_TRUE(pair.worker.evict(EvictReason::Lagged));

  EXPECT_EQ(pair.client.state(), ChannelState::Evicted);
  EXPECT_TRUE(pair.client.refresh_events());
}

TEST(Channel, BoundsTheSizesThatAClientAsksFor) {
  const auto tiny =
      WorkerChannel::create({.submit_bytes = 1, .delivery_bytes = 5000, .message_bytes_max = 100});
  ASSERT_TRUE(tiny.has_value());
  EXPECT_EQ(tiny->geometry().submit_bytes, 4096u);
  EXPECT_EQ(tiny->geometry().delivery_bytes, 8192u);
  EXPECT_EQ(tiny->geometry().submit_bulk_bytes, 0u);
}

TEST(ClientChannel, RefusesAGeometryThatTheMemoryDoesNotHave) {
  const auto worker = WorkerChannel::create(
      {.submit_bytes = 4096, .delivery_bytes = 4096, .message_bytes_max = 10});
  ASSERT_TRUE(worker.has_value());
  ChannelGeometry lie = worker->geometry();
  lie.delivery_bytes = 1u << 20;
  ClientChannel client;

  EXPECT_FALSE(client.open(worker->memory_fd(), -1, worker->bulk_fd(), lie));
  EXPECT_EQ(errno, EPROTO);
  EXPECT_FALSE(client.is_open());
}

}  // namespace
}  // namespace phalanx::shm
