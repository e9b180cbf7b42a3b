#include "dataplane/worker/worker.h"

#include <gtest/gtest.h>

#include "ipc/shm/group_id.h"
#include "tests/unit/dataplane_worker/test_node.h"

namespace phalanx::worker {
namespace {

using testing::messages;
using testing::TestClient;
using testing::TestCluster;
using Seen = std::vector<std::string>;

TEST(Worker, AClientGetsTheViewThenItsJoinThenItsMessages) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(7));

  client.join("chat");
  client.send("chat", "one");
  client.send("chat", "two");
  c.turn(5);

  EXPECT_EQ(client.read(), (Seen{"v1", "g+1:7", "m:one", "m:two"}));
}

TEST(Worker, SendingNeedsAJoinOrAnOpen) {
  TestCluster c(1);
  c.change_view({0});
  TestClient reader(c[0].attach(1));
  TestClient stranger(c[0].attach(2));
  TestClient opener(c[0].attach(3));
  reader.join("chat");
  c.turn(3);

  stranger.send("chat", "unheard");
  opener.open("chat");
  opener.send("chat", "heard");
  c.turn(5);

  EXPECT_EQ(messages(reader.read()), (Seen{"m:heard"}));
  EXPECT_EQ(opener.read(), (Seen{"v1"}));
  EXPECT_EQ(c[0].plane.counter(shm::Counter::SubmissionsRefused), 1U);
}

TEST(Worker, AMessageGoesToItsGroupOnly) {
  TestCluster c(1);
  c.change_view({0});
  TestClient a(c[0].attach(1));
  TestClient b(c[0].attach(2));
  a.join("left");
  b.join("right");

  a.send("left", "for a");
  b.send("right", "for b");
  c.turn(5);

  EXPECT_EQ(messages(a.read()), (Seen{"m:for a"}));
  EXPECT_EQ(messages(b.read()), (Seen{"m:for b"}));
}

TEST(Worker, NothingMovesBeforeAViewAndNothingIsLost) {
  TestCluster c(1);
  TestClient client(c[0].attach(1));
  client.join("chat");
  client.send("chat", "early");
  c.turn(5);
  EXPECT_TRUE(client.read().empty());

  c.change_view({0});
  c.turn(5);

  EXPECT_EQ(client.read(), (Seen{"v1", "g+1:1", "m:early"}));
}

TEST(Worker, ThreeNodesDeliverOneOrder) {
  TestCluster c(3);
  c.change_view({0, 1, 2});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(1));
  TestClient d(c[2].attach(1));
  for (TestClient* client : {&a, &b, &d}) client->join("chat");
  c.turn(100);
  for (TestClient* client : {&a, &b, &d}) client->read();
  Seen at_a;
  Seen at_b;
  Seen at_d;
  const auto read = [&] {
    for (auto& [client, seen] :
         {std::pair{&a, &at_a}, std::pair{&b, &at_b}, std::pair{&d, &at_d}}) {
      for (std::string& s : client->read()) seen->push_back(s);
    }
  };

  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(a.send("chat", "a" + std::to_string(i)));
    EXPECT_TRUE(b.send("chat", "b" + std::to_string(i), shm::kSubmissionSafe));
    EXPECT_TRUE(d.send("chat", std::string(1000, 'd') + std::to_string(i)));
    c.turn(3);
    read();
  }
  c.turn(500);
  read();

  EXPECT_EQ(at_a.size(), 900U);
  EXPECT_EQ(at_b, at_a);
  EXPECT_EQ(at_d, at_a);
}

TEST(Worker, OnlyTheOrdererSendsTheLog) {
  TestCluster c(3);
  c.change_view({0, 1, 2});
  TestClient a(c[0].attach(1));
  a.open("chat");
  c.turn(10);

  for (int i = 0; i < 100; ++i) {
    a.send("chat", std::string(1000, 'x'));
    c.turn(5);
  }
  c.turn(100);

  EXPECT_GT(c[0].plane.counter(shm::Counter::TxBytes), 100'000U);
  EXPECT_LT(c[1].plane.counter(shm::Counter::TxBytes), 60'000U);  // Its rows.
  EXPECT_EQ(c[2].plane.counter(shm::Counter::RxDuplicate), 0U);
}

TEST(Worker, SurvivorsAgreeWhenANodeIsLost) {
  TestCluster c(3);
  c.change_view({0, 1, 2});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(1));
  TestClient d(c[2].attach(1));
  for (TestClient* client : {&a, &b, &d}) client->join("chat");
  c.turn(100);
  a.read();
  b.read();

  for (int i = 0; i < 100; ++i) {
    a.send("chat", "a" + std::to_string(i));
    b.send("chat", "b" + std::to_string(i));
    d.send("chat", "d" + std::to_string(i));
  }
  c.turn(2);
  c.change_view({1, 2});
  c.turn(500);

  const Seen at_b = b.read();
  const Seen at_d = d.read();
  EXPECT_EQ(messages(at_b), messages(at_d));
  const auto own = [](const Seen& all, const char* who) {
    return std::count_if(all.begin(), all.end(),
                         [&](const std::string& s) { return s.starts_with(who); });
  };
  EXPECT_EQ(own(at_b, "m:b"), 100);
  EXPECT_EQ(own(at_b, "m:d"), 100);
  EXPECT_EQ(std::count(at_b.begin(), at_b.end(), "g-1:1/6"), 1);
  EXPECT_EQ(std::count(at_b.begin(), at_b.end(), "v2.3"), 1);
}

TEST(Worker, AClientThatHangsUpIsDrainedThenItsLeavesAreOrdered) {
  TestCluster c(2);
  c.change_view({0, 1});
  ClientPort& port = c[0].attach(5);
  TestClient dying(port);
  TestClient other(c[1].attach(6));
  dying.join("chat");
  other.join("chat");
  c.turn(100);
  other.read();

  dying.send("chat", "last words");
  c[0].mailbox.order({.kind = WorkerOrder::Kind::ClientGone, .port = &port});
  c.turn(100);

  EXPECT_EQ(other.read(), (Seen{"m:last words", "g-1:5/3"}));
  EXPECT_EQ(c[0].notices(MainNotice::Kind::ClientReleased), 1U);
}

TEST(Worker, HashesAFewNamesATurn) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(1));
  c.turn(2);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.open("group " + std::to_string(i)));

  c.turn();

  EXPECT_EQ(c[0].plane.counter(shm::Counter::Submitted), 8U);
  c.turn(2);
  EXPECT_EQ(c[0].plane.counter(shm::Counter::Submitted), 20U);
}

TEST(Worker, FlippedBitsNeverReachAClient) {
  TestCluster c(2);
  c.change_view({0, 1});
  TestClient a(c[0].attach(1));
  TestClient b(c[1].attach(2));
  a.join("chat");
  b.join("chat");
  c.turn(100);
  a.read();
  b.read();

  std::size_t frames = 0;
  c.wire.filter = [&](NodeId, NodeId, std::vector<std::byte>& frame) {
    if (++frames % 3 == 0) frame[frames % frame.size()] ^= std::byte{1};
    return true;
  };
  for (int i = 0; i < 100; ++i) {
    b.send("chat", "b" + std::to_string(i));
    c.turn(10);
  }
  c.wire.filter = {};
  c.turn(2000);

  const Seen at_a = a.read();
  EXPECT_EQ(at_a.size(), 100U);
  EXPECT_EQ(b.read(), at_a);
  EXPECT_GT(c[0].plane.counter(shm::Counter::RxBadTag) + c[1].plane.counter(shm::Counter::RxBadTag),
            0U);
}

TEST(Worker, ControlMessagesPassWholeToTheirIncarnationOnly) {
  TestCluster c(2);
  shm::Command send{.kind = shm::CommandKind::SendControl,
                    .message_kind = static_cast<std::uint8_t>(wire::MessageKind::Plan),
                    .to = {c[1].member()}};
  send.bytes.assign(100'000, std::byte{5});  // Some seventy frames.

  ASSERT_TRUE(c[0].plane.send(send));
  c.turn(5);
  send.to[0].boot.bytes[0] = 99;
  ASSERT_TRUE(c[0].plane.send(send));
  c.turn(5);

  const std::vector<shm::Event> events = c[1].events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].sender, c[0].member());
  EXPECT_EQ(events[0].bytes, send.bytes);
  EXPECT_GT(c[1].plane.counter(shm::Counter::RxOtherReceiver), 0U);
}

// A transport learns from such frames where a peer is: whoever replays one from elsewhere must not
// draw the peer's frames to himself.
TEST(Worker, BelievesTheEnvelopeOfAControlFrameOnceOnly) {
  TestCluster c(2);
  std::vector<std::vector<std::byte>> caught;
  c.wire.filter = [&](NodeId from, NodeId, std::vector<std::byte>& frame) {
    if (from == 1) caught.push_back(frame);
    return true;
  };
  ASSERT_TRUE(c[0].plane.send({.kind = shm::CommandKind::SendControl,
                               .message_kind = static_cast<std::uint8_t>(wire::MessageKind::Plan),
                               .to = {c[1].member()},
                               .bytes = std::vector(100, std::byte{5})}));
  c.turn(5);
  ASSERT_FALSE(caught.empty());
  ASSERT_EQ(c.wire.end(2).believed, (std::vector<NodeId>{1}));

  for (const auto& frame : caught) c.wire.end(2).inbox.push_back(frame);
  for (auto frame : caught) {
    frame[frame.size() - 1] ^= std::byte{1};
    c.wire.end(2).inbox.push_back(frame);
  }
  c.turn(5);

  EXPECT_EQ(c.wire.end(2).believed, (std::vector<NodeId>{1}));
}

TEST(Worker, ListsItsGroups) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(1));
  client.join("chat");
  c.turn(5);
  c[0].events();

  ASSERT_TRUE(c[0].plane.send({.kind = shm::CommandKind::ListGroups, .token = 9}));
  c.turn();

  const std::vector<shm::Event> events = c[0].events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].token, 9U);
  EXPECT_EQ(events[0].bytes.size(), 4U + 8 + 2 + 1 + 4 + 4 + 12);
}

TEST(Worker, SaysSoWhenItRefusesAPlan) {
  TestCluster c(1);
  c.change_view({0});
  c.turn();
  (void)c[0].events();
  const ViewId attempt{9, 1, {}};

  for (const auto kind : {shm::CommandKind::BeginRecovery, shm::CommandKind::Install}) {
    ASSERT_TRUE(c[0].plane.send({.kind = kind, .attempt = attempt}));
    c.turn();

    const std::vector<shm::Event> events = c[0].events();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, shm::WorkerEventKind::Refused);
    EXPECT_EQ(events[0].token, static_cast<std::uint32_t>(kind));
    EXPECT_EQ(events[0].view, attempt);
  }
}

TEST(Worker, SaysSoWhenItWasNotScheduled) {
  TestCluster c(1);
  c.change_view({0});
  c.turn();

  c.now += 200 * kMillisecond;
  c.turn();

  const std::vector<shm::Event> events = c[0].events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().kind, shm::WorkerEventKind::Distrust);
  EXPECT_EQ(events.back().token, 200U);
}

TEST(Worker, TellsTheLongestGapBetweenTurns) {
  TestCluster c(1);
  c.change_view({0});
  const auto gaps = [&] {
    c.turn(200);  // A status is written every half millisecond.
    return c[0].plane.status().value().gaps;
  };
  ASSERT_EQ(gaps().longest, 5 * kMicrosecond);

  c.now += 3 * kMillisecond;

  EXPECT_EQ(gaps().longest, 3 * kMillisecond + 5 * kMicrosecond);
  EXPECT_EQ(gaps().recent, 3 * kMillisecond + 5 * kMicrosecond);
}

// What it had meant to sleep is no gap; what it overslept is one.
TEST(Worker, CountsWhatItOversleptAsAGap) {
  TestCluster c(1);
  c.change_view({0});
  c.turn(200);
  TimeNs until = 0;
  ASSERT_TRUE(c[0].worker->arm(c.now, until));

  c.now = until + 2 * kMillisecond;
  c[0].worker->disarm();
  c.turn(200);

  EXPECT_EQ(c[0].plane.status().value().gaps.longest, 2 * kMillisecond + 5 * kMicrosecond);
}

TEST(Worker, ForgetsAGapThatIsLongPast) {
  TestCluster c(1);
  c.change_view({0});
  c.now += 3 * kMillisecond;
  for (int i = 0; i < 21'000; ++i) {
    c.now += kMillisecond;
    c.turn();
  }

  const shm::TurnGaps gaps = c[0].plane.status().value().gaps;
  EXPECT_GE(gaps.longest, 3 * kMillisecond);
  EXPECT_EQ(gaps.recent, kMillisecond + 5 * kMicrosecond);
}

TEST(Worker, SleepsOnlyWhenNothingWaits) {
  TestCluster c(1);
  c.change_view({0});
  TestClient client(c[0].attach(1));
  c.turn(1000);
  TimeNs until = 0;
  ASSERT_TRUE(c[0].worker->arm(c.now, until));
  EXPECT_GT(until, c.now);
  c[0].worker->disarm();

  client.join("chat");

  EXPECT_FALSE(c[0].worker->arm(c.now, until));
}

}  // namespace
}  // namespace phalanx::worker
