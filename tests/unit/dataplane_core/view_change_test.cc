#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/unit/dataplane_core/bench.h"

namespace phalanx::core::testing {
namespace {

using Texts = std::vector<std::string>;

// What was sent before the change is delivered before the new view, at every member that goes
// along.
TEST(ViewChange, DeliversTailsBeforeTheNewView) {
  Bench bench(3);
  bench.change_view({0, 1, 2});
  bench.step(50);
  ASSERT_TRUE(bench.submit(1, "from n2"));  // Not a frame has left yet.
  ASSERT_TRUE(bench.submit(2, "from n3"));

  bench.change_view({1, 2});
  bench.step(50);

  EXPECT_EQ(bench[1].delivered, (Texts{"from n2", "from n3"}));
  EXPECT_EQ(bench[1].seen, bench[2].seen);
}

TEST(ViewChange, GivesARestartedOrNewMemberTheNewViewOnly) {
  Bench bench(3);
  bench.change_view({0, 1});
  bench.step(50);
  ASSERT_TRUE(bench.submit(0, "old"));
  bench.step(50);

  bench.change_view({0, 1, 2});
  bench.step(50);
  ASSERT_TRUE(bench.submit(2, "new"));
  bench.step(50);

  EXPECT_EQ(bench[2].delivered, Texts{"new"});
  EXPECT_EQ(bench[0].delivered, (Texts{"old", "new"}));
}

TEST(ViewChange, NeverWaitsForALocalReader) {
  Bench bench(2);
  bench.change_view({0, 1});
  bench.step(50);
  bench[1].reads = false;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(bench.submit(0, "m" + std::to_string(i)));
  bench.step(50);

  bench.change_view({0, 1});
  bench[1].reads = true;
  bench.step(50);

  EXPECT_EQ(bench[1].delivered, bench[0].delivered);
  EXPECT_EQ(bench[1].delivered.size(), 5u);
}

// Room for the tails of one install is kept free at all times; a second one must find it again.
TEST(ViewChange, FitsManyTimesBeforeAReaderThatDoesNotRead) {
  Bench bench(4);
  bench.change_view({0, 1, 2, 3});
  bench.step(50);
  for (std::size_t i = 0; i < 4; ++i) bench[i].reads = false;
  const auto fill = [&] {
    for (int turns = 0; turns < 300; ++turns) {
      for (std::size_t i = 0; i < 4; ++i) {
        while (bench.submit(i, std::string(700, 'f'))) {
        }
      }
      bench.step();
    }
  };

  fill();
  for (int change = 0; change < 4; ++change) {
    bench.change_view({0, 1, 2, 3});
    fill();
  }
  for (std::size_t i = 0; i < 4; ++i) bench[i].reads = true;
  bench.step(5000);

  EXPECT_EQ(bench[0].seen, bench[3].seen);
}

struct OneTail : ::testing::Test {
  OneTail() : bench(2) {
    bench.change_view({0, 1});
    bench.step(50);
    EXPECT_TRUE(bench.submit(1, "tail"));
    for (std::size_t i = 0; i < 2; ++i) {
      bench[i].core->freeze();
      members.push_back(bench.member(i));
      reports.push_back(bench[i].core->report(attempt));
    }
    plan = plan_of(attempt, members, reports);
  }
  Bench bench;
  const ViewId attempt{100, 1, bench.member(0).boot};
  std::vector<Member> members;
  std::vector<wire::Report> reports;
  wire::Plan plan;
};

// A restarted control plane asks for the recovery again, when the others may be done with it.
TEST_F(OneTail, IsKeptWhenTheSamePlanComesAgain) {
  for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(bench[i].core->begin_recovery(plan, bench.now));
  bench.step(200);
  ASSERT_TRUE(bench[0].core->recovered());

  ASSERT_TRUE(bench[0].core->begin_recovery(plan, bench.now));

  EXPECT_TRUE(bench[0].core->recovered());
}

// What was reported for a newer attempt must not change before its plan.
TEST_F(OneTail, IsNotTakenForAnAttemptThatIsOver) {
  for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(bench[i].core->begin_recovery(plan, bench.now));

  (void)bench[0].core->report({101, 1, bench.member(0).boot});
  bench.step(200);

  EXPECT_FALSE(bench[0].core->recovered());
  const wire::FrameHeader late{.type = wire::FrameType::RecoverLog, .sender = 2, .position = 0};
  EXPECT_EQ(bench[0].core->place(late, 8).verdict, Verdict::WrongState);
}

// Members that go together from view to view deliver the same; every living origin's accepted
// message is delivered to it exactly once, in order.
void lose_and_repeat_nothing(const Sizes& sizes, std::uint32_t seed, std::size_t large) {
  std::mt19937 random(seed);
  Bench bench(4, sizes, seed);
  bench.change_view({0, 1, 2, 3});
  bench.drop_percent = static_cast<int>(seed % 4) * 5;
  bench.overtake_percent = 10;
  bench.duplicate_percent = 5;
  std::vector<Texts> sent(4);
  bool was_large = false;

  for (int change = 0; change < 12; ++change) {
    const int turns = static_cast<int>(random() % 60);
    for (int t = 0; t < turns; ++t) {
      for (std::size_t i = 0; i < 4; ++i) {
        std::string text = std::to_string(i) + "." + std::to_string(sent[i].size()) + ".";
        if (random() % 4 == 0) text.resize(large, '.');
        const auto lane = static_cast<LaneId>(i % sizes.lanes);
        const std::uint8_t flags = random() % 4 == 0 ? kRecordSafe : 0;
        if (random() % 2 == 0 && bench.submit(i, text, lane, flags)) {
          sent[i].push_back(text);
          was_large = was_large || text.size() == large;
        }
      }
      bench.step();
    }
    bench.change_view({0, 1, 2, 3});
  }
  bench.drop_percent = 0;
  bench.step(3000);

  EXPECT_TRUE(was_large);
  EXPECT_EQ(bench[0].seen.size(), bench[1].seen.size());
  for (std::size_t i = 0; i < 4; ++i) {
    Texts own;
    for (const std::string& s : bench[i].delivered) {
      if (s.starts_with(std::to_string(i) + ".")) own.push_back(s);
    }
    EXPECT_EQ(own, sent[i]) << "node " << i;
    for (LaneId l = 0; l < sizes.lanes; ++l) {
      const auto of_lane = [&](std::size_t node) {
        Texts out;
        for (const std::string& s : bench[node].seen) {
          if (s.starts_with(std::to_string(l) + "/")) out.push_back(s);
        }
        return out;
      };
      EXPECT_EQ(of_lane(0), of_lane(i)) << "node " << i << " lane " << l;
    }
  }
}

// A member that reports more than anybody may have sent spoils this recovery, and nothing else:
// what it then sends has no place anywhere.
TEST(ViewChange, GivesATailThatCannotBeNoPlace) {
  Bench bench(2);
  bench.change_view({0, 1});
  bench.step(50);
  const ViewId attempt{7, 1, bench.member(0).boot};
  for (std::size_t i : {0, 1}) bench[i].core->freeze();
  std::vector<wire::Report> reports{bench[0].core->report(attempt), bench[1].core->report(attempt)};
  reports[0].lanes[0].stream_end += 1 << 20;

  const wire::Plan plan = plan_of(attempt, {bench.member(0), bench.member(1)}, reports);
  ASSERT_TRUE(bench[1].core->begin_recovery(plan, bench.now));

  const wire::FrameHeader tail{.type = wire::FrameType::RecoverTail,
                               .sender = 1,
                               .position = plan.sets[0].lanes[0].streams[0].from};
  for (Position ahead = 0; ahead < 4096; ahead += 8) {
    wire::FrameHeader frame = tail;
    frame.position += ahead;
    EXPECT_EQ(bench[1].core->place(frame, 100).verdict, Verdict::WrongState) << ahead;
  }
  EXPECT_FALSE(bench[1].core->recovered());
}

/// A record as it lies in the log, in anybody's name.
std::vector<std::byte> record_of(RecordHeader header, const std::string& payload) {
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  std::vector<std::byte> out(record_bytes(payload.size()));
  encode_record_header(header, out.data());
  std::memcpy(out.data() + kRecordHeaderBytes, payload.data(), payload.size());
  return out;
}

/// What the orderer, node 1, makes node 2 believe.
class Insider {
 public:
  Insider() : bench(2) {
    bench.change_view({0, 1});
    bench.step(50);
    at = bench[1].core->lane_status(0).received;
  }
  Verdict order(const std::vector<std::byte>& record, Position position) {
    const wire::FrameHeader header{
        .type = wire::FrameType::Ordered, .sender = 1, .position = position};
    return bench[1].core->accept(header, record, bench.now);
  }

  Bench bench;
  Position at = 0;
};

// Joins that it never submitted: its group state is a record that there cannot be.
TEST(Insider, ThatOrdersJoinsInAnothersNameMakesItLeaveOnly) {
  Insider it;
  Position own = it.bench[1].core->lane_status(0).stream_end;
  std::string join(4 + 60, 'g');
  for (std::uint64_t group = 1; group <= 60; ++group) {
    const auto record = record_of({.kind = RecordKind::Join,
                                   .origin = 2,
                                   .client = 9,
                                   .stream_position = own,
                                   .group = group},
                                  join);
    ASSERT_EQ(it.order(record, it.at), Verdict::Accepted);
    it.at += record.size();
    own += record.size();
    it.bench.step();
  }

  it.bench.change_view({1});
  it.bench.step(5);

  EXPECT_TRUE(it.bench[1].core->lane_status(0).poisoned);
}

// Something ordered behind a hand-over, with a hole between: the new orderer goes on from its end.
TEST(Insider, ThatOrdersBehindAHandOverIsNotHeard) {
  Insider it;
  std::string to(4, '\0');
  store_le<std::uint32_t>(reinterpret_cast<std::byte*>(to.data()), 2);
  const auto own = it.bench[0].core->lane_status(0).stream_end;
  const auto hand_over =
      record_of({.kind = RecordKind::HandOver, .origin = 1, .stream_position = own}, to);
  ASSERT_EQ(it.order(hand_over, it.at + hand_over.size() + 64), Verdict::Accepted);

  ASSERT_EQ(it.order(hand_over, it.at), Verdict::Accepted);
  ASSERT_EQ(it.bench[1].core->orderer(0), 2U);
  EXPECT_TRUE(it.bench.submit(1, "n2 orders"));
  it.bench.step(10);

  EXPECT_EQ(it.bench[1].delivered, Texts{"n2 orders"});
}

class ViewChangeSoak : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(ViewChangeSoak, LosesAndRepeatsNothingOverManyChanges) {
  const std::uint32_t seed = GetParam();
  lose_and_repeat_nothing(
      {.log = seed % 3 == 0 ? 64u * 1024 : 256u * 1024, .lanes = static_cast<LaneId>(1 + seed % 2)},
      seed, 2500);
}

// The smallest log that is allowed: beside what an install needs, two records and the windows.
TEST_P(ViewChangeSoak, NeedsNoMoreThanLogsOfTwoRecords) {
  constexpr Sizes kTwoRecords{
      .record = 18'000, .window = 2048, .submit_window = 2048, .log = 64 * 1024};
  static_assert(2 * kTwoRecords.record + kTwoRecords.window + 4 * kTwoRecords.submit_window +
                        kInstallBytes <=
                    kTwoRecords.log &&
                3 * kTwoRecords.record + kInstallBytes > kTwoRecords.log);

  lose_and_repeat_nothing(kTwoRecords, GetParam(), kTwoRecords.record - 64);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ViewChangeSoak, ::testing::Range(1u, 25u));

}  // namespace
}  // namespace phalanx::core::testing
