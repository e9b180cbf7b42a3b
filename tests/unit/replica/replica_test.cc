#include <gtest/gtest.h>

#include "tests/unit/replica/bench.h"

namespace phalanx::replica {
namespace {

TEST(Replica, FoundsAStateWhenItIsAloneAndAnswersWhatItApplied) {
  Side side;
  Process a({.origin = 1});

  side.join(a, {1, 1});
  ASSERT_TRUE(a.submit("x") && a.submit("refuse") && a.submit("y"));
  side.run();

  EXPECT_TRUE(a.replica.live());
  EXPECT_EQ(a.state, "xy");
  ASSERT_EQ(a.answers.size(), 3u);
  EXPECT_EQ(a.answers[1], std::pair(Outcome::Done, std::int64_t{7}));
}

// The snapshot is far over the message limit, and the others apply operations between its pieces.
TEST(Replica, BringsAJoinerUpToDateWhileTheOthersGoOn) {
  const Options small{
      .message_bytes_max = 600, .chunk_bytes_max = 300, .chunks_in_flight_bytes_max = 600};
  Side side;
  Process a([&] {
    Options o = small;
    o.origin = 1;
    return o;
  }());
  Process b([&] {
    Options o = small;
    o.origin = 2;
    return o;
  }());
  side.join(a, {1, 1});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(a.submit("0123456789"));
  side.run();

  b.replica.on_node_view(1, true, side.now);
  side.join(b, {2, 1});
  ASSERT_TRUE(a.submit("end"));
  side.run();

  EXPECT_TRUE(b.replica.live());
  EXPECT_EQ(b.state, a.state);
  EXPECT_EQ(b.replica.digest(), a.replica.digest());
  EXPECT_EQ(b.replica.counters().taken, 1u);
}

TEST(Replica, AppliesInTheJoinerWhatWasOrderedAfterTheCut) {
  Side side;
  Process a({.origin = 1, .chunk_bytes_max = 50, .chunks_in_flight_bytes_max = 50});
  Process b({.origin = 2});
  side.join(a, {1, 1});
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(a.submit("0123456789"));
  side.run();

  side.join(b, {2, 1});
  ASSERT_TRUE(a.submit("tail") && b.submit("from b"));
  side.run();

  EXPECT_EQ(a.state, b.state);
  EXPECT_NE(a.state.find("from b"), std::string::npos);
}

TEST(Replica, AsksAnotherGiverWhenOneFails) {
  Side side;
  Process a({.origin = 1});
  Process b({.origin = 2});
  Process c({.origin = 3});
  side.join(a, {1, 1});
  side.join(b, {2, 1});
  ASSERT_TRUE(a.submit("x"));
  side.run();
  a.snapshot_fails = true;
  a.snapshots = 0;

  side.join(c, {3, 1});

  EXPECT_EQ(a.snapshots, 1);
  EXPECT_TRUE(c.was_told(Event::GiverFailed, Fault::Snapshot));
  EXPECT_TRUE(c.replica.live());
  EXPECT_EQ(c.state, "x");
}

TEST(Replica, HasNoStateRatherThanHalfOneWhenRestoreFails) {
  Side side;
  Process a({.origin = 1});
  Process b({.origin = 2});
  b.restores_fail = 1;
  side.join(a, {1, 1});
  ASSERT_TRUE(a.submit("x"));
  side.run();

  side.join(b, {2, 1});

  EXPECT_TRUE(b.was_told(Event::GiverFailed, Fault::Restore));
  EXPECT_FALSE(b.replica.live());
  side.pass(1'000'000'000);
  EXPECT_TRUE(b.replica.live());
  EXPECT_EQ(b.state, "x");
}

TEST(Replica, RefusesASnapshotThatAnotherVersionWrote) {
  Side side;
  Process old({.origin = 1, .version = 1});
  Process newer({.origin = 2, .version = 3, .version_min = 2});
  side.join(old, {1, 1});

  side.join(newer, {2, 1});

  EXPECT_TRUE(newer.was_told(Event::GiverFailed, Fault::Version));
  EXPECT_FALSE(newer.replica.live());
  EXPECT_TRUE(old.replica.live());
}

TEST(Replica, SurvivesTheDeathOfTheGiverInTheMiddle) {
  Side side;
  Process a({.origin = 1, .chunk_bytes_max = 10, .chunks_in_flight_bytes_max = 10});
  Process b({.origin = 2});
  Process c({.origin = 3});
  side.join(a, {1, 1});
  side.join(b, {2, 1});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(a.submit("0123456789"));
  side.run();
  c.replica.on_node_view(1, true, side.now);

  side.join(c, {3, 1});  // From a, whole: then once more from the middle.
  side.lose(c);
  c.restores_fail = 0;
  side.join(c, {3, 2});
  side.lose(a);

  EXPECT_TRUE(c.replica.live());
  EXPECT_EQ(c.state, b.state);
}

TEST(Replica, MergesWhatTheOtherSideDidAndEndsEqual) {
  Side side;
  Process a({.origin = 1});
  Process b({.origin = 2});
  Process c({.origin = 3});
  side.join(a, {1, 1});
  side.join(b, {2, 1});
  side.join(c, {3, 1});
  Side other = side.split({&c}, true, false);
  ASSERT_TRUE(a.submit("here ") && c.submit("there "));
  side.run();
  other.run();
  ASSERT_EQ(c.answers.back().first, Outcome::Done);

  side.meet(other, true);

  EXPECT_EQ(a.state, "here there ");
  EXPECT_EQ(b.state, a.state);
  EXPECT_EQ(c.state, a.state);
  EXPECT_TRUE(c.replica.live());
  EXPECT_EQ(a.replica.counters().merged, 1u);
  EXPECT_EQ(c.replica.digest(), a.replica.digest());
}

TEST(Replica, RefusesToWriteWithoutQuorumWhenItIsAskedFor) {
  Side side;
  Process a({.origin = 1, .write_quorum = true});
  Process b({.origin = 2, .write_quorum = true});
  side.join(a, {1, 1});
  side.join(b, {2, 1});
  Side other = side.split({&b}, true, false);

  ASSERT_TRUE(b.submit("x"));
  other.run();

  ASSERT_EQ(b.answers.size(), 1u);
  EXPECT_EQ(b.answers[0].first, Outcome::NotQuorate);
  EXPECT_EQ(b.state, "");
}

// Nobody could merge it: what is refused is known to be refused, what is dropped is not.
TEST(Replica, TakesNoMoreWithoutQuorumThanItCanShow) {
  Side side;
  Process a({.origin = 1, .history_bytes_max = 100});
  Process b({.origin = 2, .history_bytes_max = 100});
  side.join(a, {1, 1});
  side.join(b, {2, 1});
  Side other = side.split({&b}, true, false);

  for (int i = 0; i < 5; ++i) ASSERT_TRUE(b.submit("12345678"));
  other.run();
  side.meet(other, true);

  ASSERT_EQ(b.answers.size(), 5u);
  EXPECT_EQ(b.answers[2].first, Outcome::Done);
  EXPECT_EQ(b.answers[3].first, Outcome::Full);
  EXPECT_EQ(a.state, "123456781234567812345678");
  EXPECT_EQ(b.state, a.state);
}

TEST(Replica, FoundsNothingWithoutQuorumWhenItIsAskedFor) {
  Side side(false);
  Process a({.origin = 1, .write_quorum = true});

  side.join(a, {1, 1});

  EXPECT_FALSE(a.replica.live());
  EXPECT_TRUE(a.was_told(Event::NoQuorum));
}

TEST(Replica, GoesOnWithoutAMemberThatDoesNotSpeak) {
  Side side;
  Process a({.origin = 1});
  Process b({.origin = 2});
  Process c({.origin = 3});
  side.join(a, {1, 1});
  side.join(b, {2, 1});
  Side other = side.split({&b}, true, true);
  other.join(c, {3, 1});
  ASSERT_TRUE(a.submit("x"));
  side.run();
  b.dispatches = c.dispatches = false;  // They do not dispatch.

  side.meet(other, true);
  EXPECT_FALSE(a.replica.live());
  side.pass(600'000'000);

  EXPECT_TRUE(a.replica.live());
}

TEST(Replica, CountsRubbishAndStrangers) {
  Side side;
  Process a({.origin = 1});
  side.join(a, {1, 1});
  const std::uint64_t before = a.replica.counters().rejected;

  const std::string rubbish = "rubbish";
  a.replica.on_message({1, 1}, std::as_bytes(std::span(rubbish.data(), rubbish.size())), 2);
  std::byte mark[kHeaderBytes];
  encode({.kind = Kind::Mark, .origin = 9}, mark);
  a.replica.on_message({9, 9}, mark, 2);

  EXPECT_EQ(a.replica.counters().rejected, before + 2);
  EXPECT_TRUE(a.replica.live());
}

}  // namespace
}  // namespace phalanx::replica
