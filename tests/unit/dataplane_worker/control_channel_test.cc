#include "ipc/shm/control_channel.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "ipc/shm/control_socket.h"

namespace phalanx::shm {
namespace {

BootId boot(std::uint8_t first) {
  BootId id;
  id.bytes[0] = first;
  return id;
}

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

struct ControlChannelTest : testing::Test {
  ControlSegment segment = ControlSegment::create({.self = {3, boot(9)},
                                                   .pid = 77,
                                                   .config_hash = 5,
                                                   .obituary = {std::byte{1}, std::byte{2}}})
                               .value();
  Fd command_bell{eventfd(0, EFD_NONBLOCK)};
  Fd event_bell{eventfd(0, EFD_NONBLOCK)};
  ControlWorkerEnd worker{segment, event_bell.get()};
  ControlPlaneEnd plane{segment, command_bell.get()};
};

TEST_F(ControlChannelTest, CarriesCommandsWholeAndInOrder) {
  Command send{
      .kind = CommandKind::SendControl, .message_kind = 4, .to = {{1, boot(1)}, {2, boot(2)}}};
  send.bytes.assign(300'000, std::byte{7});
  const Command freeze{.kind = CommandKind::Freeze, .attempt = {12, 1, boot(1)}};

  for (int round = 0; round < 9; ++round) {  // More bytes than the ring has: wraps several times.
    ASSERT_TRUE(plane.send(send));
    ASSERT_TRUE(plane.send(freeze));

    EXPECT_EQ(worker.take_command(), send);
    EXPECT_EQ(worker.take_command(), freeze);
    EXPECT_FALSE(worker.take_command());
  }
}

TEST_F(ControlChannelTest, RefusesWhatDoesNotFitAndKeepsWhatDoes) {
  Event event{.kind = WorkerEventKind::ControlMessage, .message_kind = 1, .sender = {2, boot(2)}};
  event.bytes.assign(800'000, std::byte{1});

  EXPECT_TRUE(worker.post(event));
  EXPECT_TRUE(worker.post(event));
  EXPECT_FALSE(worker.post(event));

  EXPECT_EQ(plane.counter(Counter::EventsLost), 1U);
  EXPECT_EQ(plane.take_event(), event);
  EXPECT_EQ(plane.take_event(), event);
  EXPECT_FALSE(plane.take_event());
}

TEST(Tuning, IsTheSameAfterItsBytesAndNothingWhenTheyAreCut) {
  const Tuning tuning{.dead_after = 7, .throttles = true, .throttle_max = 9};
  std::vector<std::byte> bytes;
  encode(tuning, bytes);

  EXPECT_EQ(decode_tuning(bytes), tuning);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(decode_tuning(std::span(bytes).first(cut))) << cut;
  }
  bytes.clear();
  encode({.dead_after = 0, .throttles = true, .throttle_max = 9}, bytes);
  EXPECT_FALSE(decode_tuning(bytes)) << "every peer would be dead at once";
}

TEST_F(ControlChannelTest, RingsOnlyASideThatSaidItSleeps) {
  ASSERT_TRUE(plane.send({}));
  EXPECT_FALSE(readable(command_bell.get()));
  EXPECT_TRUE(worker.arm());  // Something waits: it must not sleep.
  worker.disarm();
  ASSERT_TRUE(worker.take_command());

  EXPECT_FALSE(worker.arm());
  ASSERT_TRUE(plane.send({}));

  EXPECT_TRUE(readable(command_bell.get()));
}

TEST_F(ControlChannelTest, RingsTheControlPlaneOnceATurn) {
  EXPECT_FALSE(plane.arm());

  worker.post({.kind = WorkerEventKind::Installed});
  EXPECT_FALSE(readable(event_bell.get()));
  worker.ring_if_needed();

  EXPECT_TRUE(readable(event_bell.get()));
}

TEST_F(ControlChannelTest, DropsACommandThatMakesNoSense) {
  ASSERT_TRUE(plane.send({.kind = static_cast<CommandKind>(99)}));

  EXPECT_FALSE(worker.take_command());
  EXPECT_EQ(plane.counter(Counter::CommandsBad), 1U);
}

TEST_F(ControlChannelTest, EveryTruncationOfAMessageIsRefused) {
  std::vector<std::byte> whole;
  encode(Command{.kind = CommandKind::SendControl, .to = {{1, boot(1)}}, .bytes = {std::byte{1}}},
         whole);

  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode_command(std::span(whole).first(length))) << length;
  }
  EXPECT_TRUE(decode_command(whole));
}

TEST_F(ControlChannelTest, ARestartedControlPlaneFindsTheAttemptAndTheRest) {
  const std::vector<std::byte> attempt(1000, std::byte{42});
  plane.store_attempt(std::vector<std::byte>(10, std::byte{1}));
  plane.store_attempt(attempt);
  worker.publish({.written_at = 5, .view = {8, 3, boot(9)}, .members = 2});
  worker.post({.kind = WorkerEventKind::Installed, .view = {8, 3, boot(9)}});

  auto again = ControlSegment::map(Fd(dup(segment.fd())), Fd(dup(segment.statistics().fd())));
  ASSERT_TRUE(again);
  ControlPlaneEnd next(*again, command_bell.get());

  EXPECT_EQ(next.load_attempt(), attempt);
  ASSERT_TRUE(next.status());
  EXPECT_EQ(next.status()->view.sequence, 8U);
  EXPECT_EQ(next.take_event()->kind, WorkerEventKind::Installed);
  EXPECT_EQ(again->identity().self.node, 3U);
  EXPECT_EQ(again->identity().obituary.size(), 2U);
}

TEST_F(ControlChannelTest, SocketPassesTheSegmentAndClients) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  const Fd ours(pair[0]);
  const Fd theirs(pair[1]);

  ASSERT_TRUE(send_adopt(
      ours.get(), {.uid = 1, .gid = 2, .pid = 3, .rights = kMayPublish, .socket = Fd(dup(0))}));
  ASSERT_TRUE(send_shutdown(ours.get()));

  const auto adopt = receive_packet(theirs.get());
  ASSERT_TRUE(adopt && *adopt);
  EXPECT_EQ((*adopt)->kind, ControlPacket::Kind::Adopt);
  EXPECT_EQ((*adopt)->client.pid, 3U);
  EXPECT_TRUE(static_cast<bool>((*adopt)->client.socket));
  EXPECT_EQ((*receive_packet(theirs.get()))->kind, ControlPacket::Kind::Shutdown);
  EXPECT_FALSE(*receive_packet(theirs.get()));
}

}  // namespace
}  // namespace phalanx::shm
