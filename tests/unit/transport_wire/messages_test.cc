#include "transport/wire/messages.h"

#include <gtest/gtest.h>

#include "tests/unit/transport_wire/samples.h"

namespace phalanx::wire {
namespace {

template <class T>
std::vector<std::byte> bytes_of(const T& message) {
  std::vector<std::byte> out;
  encode(message, out);
  return out;
}

/// Comes back equal, and is refused at every shorter length and with one byte more.
template <class T, class Decode>
void expect_exact(const T& message, Decode decode) {
  std::vector<std::byte> bytes = bytes_of(message);

  EXPECT_EQ(decode(bytes), message);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode(std::span(bytes).first(length))) << length;
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(decode(bytes));
}

TEST(Messages, ComeBackEqualAndOnlyAtTheirExactLength) {
  expect_exact(samples::hello(), decode_hello);
  expect_exact(samples::prepare(), decode_prepare);
  expect_exact(samples::refusal(), decode_refusal);
  expect_exact(samples::report(), decode_report);
  expect_exact(samples::plan(), decode_plan);
  expect_exact(samples::done(), decode_done);
}

TEST(Messages, ComeBackEqualWhenTheyHoldNothing) {
  expect_exact(Hello{}, decode_hello);
  expect_exact(Report{.attempt = samples::view(8)}, decode_report);
}

TEST(Messages, OfAllOnesOrZerosAreRefused) {
  for (const int fill : {0x00, 0xff}) {
    const std::vector<std::byte> bytes(512, static_cast<std::byte>(fill));
    EXPECT_FALSE(decode_hello(bytes));
    EXPECT_FALSE(decode_prepare(bytes));
    EXPECT_FALSE(decode_refusal(bytes));
    EXPECT_FALSE(decode_report(bytes));
    EXPECT_FALSE(decode_plan(bytes));
    EXPECT_FALSE(decode_done(bytes));
  }
}

TEST(Messages, NameAnAttempt) {
  EXPECT_FALSE(decode_prepare(bytes_of(Prepare{.members = samples::members()})));
  EXPECT_FALSE(decode_refusal(bytes_of(Refusal{})));
  EXPECT_FALSE(decode_done(bytes_of(Done{})));
  EXPECT_FALSE(decode_done(bytes_of(Done{.attempt = {3, 0, samples::boot(1)}})));
}

TEST(Messages, WriteNoViewInOneWayOnly) {
  Hello hello = samples::hello();
  hello.view = {0, 1, {}};

  EXPECT_FALSE(decode_hello(bytes_of(hello)));
}

TEST(Messages, HoldMembersInOrderWithoutDuplicatesAndWithoutNodeZero) {
  const BootId boot = samples::boot(1);
  for (const auto& wrong : std::vector<std::vector<Member>>{
           {{0, boot}}, {{2, boot}, {1, boot}}, {{2, boot}, {2, samples::boot(2)}}}) {
    Hello hello = samples::hello();
    hello.heard = wrong;
    EXPECT_FALSE(decode_hello(bytes_of(hello)));
  }
}

TEST(Messages, HaveNoMoreMembersThanAClusterHasNodes) {
  Hello hello;
  for (NodeId node = 1; node <= kNodesMax; ++node) hello.heard.push_back({node, samples::boot(1)});
  std::vector<std::byte> bytes = bytes_of(hello);
  ASSERT_TRUE(decode_hello(bytes));

  const std::size_t count_at = 28 + 8 + 8 + 4 + 1;
  bytes[count_at] = std::byte{kNodesMax + 1};
  bytes.resize(bytes.size() + 20, std::byte{0xff});

  EXPECT_FALSE(decode_hello(bytes));
}

TEST(Report, HoldsRangesThatAreSortedAndApartAndAboveReceived) {
  for (const std::vector<Range>& wrong : std::vector<std::vector<Range>>{
           {{4096, 5000}},
           {{5000, 5000}},
           {{6000, 5000}},
           {{5000, 6000}, {6000, 7000}},
           {{7000, 8000}, {5000, 6000}},
       }) {
    Report report = samples::report();
    report.lanes[0].held = wrong;
    EXPECT_FALSE(decode_report(bytes_of(report)));
  }
}

TEST(Report, NeverDeliversWhatItHasNotReceived) {
  Report report = samples::report();
  report.lanes[0].delivered = report.lanes[0].received + 1;
  EXPECT_FALSE(decode_report(bytes_of(report)));

  report = samples::report();
  report.lanes[0].stable = report.lanes[0].received + 1;
  EXPECT_FALSE(decode_report(bytes_of(report)));

  report = samples::report();
  report.lanes[0].stream_base = report.lanes[0].stream_end + 1;
  EXPECT_FALSE(decode_report(bytes_of(report)));
}

TEST(Plan, HasHoldingsWithoutAGapUpToTheCut) {
  for (const std::vector<Holding>& wrong : std::vector<std::vector<Holding>>{
           {{{4096, 5000}, 2}},
           {{{4096, 5000}, 2}, {{5001, 6000}, 1}},
           {{{4096, 6000}, 5}},
           {{{6000, 6000}, 1}},
       }) {
    Plan plan = samples::plan();
    plan.sets[0].lanes[0].holdings = wrong;
    EXPECT_FALSE(decode_plan(bytes_of(plan)));
  }
}

TEST(Plan, NeverPutsTheRegularPartAboveTheCut) {
  Plan plan = samples::plan();
  plan.sets[0].lanes[0].regular = plan.sets[0].lanes[0].cut + 1;

  EXPECT_FALSE(decode_plan(bytes_of(plan)));
}

TEST(Plan, HasDisjointSetsOfNewMembersInTheOrderOfTheirViews) {
  Plan twice = samples::plan();
  twice.sets.push_back(twice.sets[0]);
  twice.sets[1].old_view.sequence += 1;
  EXPECT_FALSE(decode_plan(bytes_of(twice)));

  Plan stranger = samples::plan();
  stranger.sets[0].members[1].boot = samples::boot(200);
  EXPECT_FALSE(decode_plan(bytes_of(stranger)));

  Plan unsorted = samples::plan();
  TransitionalSet alone = unsorted.sets[0];
  alone.old_view.sequence -= 1;
  alone.members = {unsorted.members[2]};
  for (LanePlan& lane : alone.lanes) {
    lane.streams = {{0, 0}};
    lane.holdings.clear();
  }
  unsorted.sets.push_back(alone);
  EXPECT_FALSE(decode_plan(bytes_of(unsorted)));
  std::swap(unsorted.sets[0], unsorted.sets[1]);
  EXPECT_TRUE(decode_plan(bytes_of(unsorted)));
}

TEST(Report, HoldsABallotWhoseElectoratesGrow) {
  for (const std::vector<Electorate>& wrong :
       std::vector<std::vector<Electorate>>{{{5, 3}}, {{6, 3}}, {{9, 3}, {8, 3}}, {{9, 0}}}) {
    Report report = samples::report();
    report.ballot.open = wrong;
    EXPECT_FALSE(decode_report(bytes_of(report)));
  }
}

TEST(Report, HoldsABallotWhoseChangesOfVotesAreWrittenInOneWay) {
  using Kind = Order::Kind;
  for (const Amendment& wrong : {Amendment{0, 1, {}}, Amendment{0, 0, {1}}, Amendment{5, 1, {}},
                                 Amendment{5, 1, std::vector<std::uint16_t>(kNodesMax, 1)}}) {
    Report report = samples::report();
    report.ballot.amendment = wrong;
    const bool right = wrong.votes.size() == kNodesMax;
    EXPECT_EQ(decode_report(bytes_of(report)).has_value(), right) << wrong.revision;
  }
  for (const Order& wrong :
       {Order{Kind::None, 0, 1}, Order{Kind::None, 1, 0}, Order{Kind::Expected, 1, 3},
        Order{Kind::Votes, kNodesMax, 1}, Order{static_cast<Kind>(4), 0, 0}}) {
    Report report = samples::report();
    report.ballot.order = wrong;
    EXPECT_FALSE(decode_report(bytes_of(report))) << static_cast<int>(wrong.kind);
  }
}

TEST(Plan, OfTheBiggestClusterFitsAMessage) {
  Plan plan{.attempt = samples::view(8)};
  TransitionalSet set{.old_view = samples::view(7)};
  for (NodeId node = 1; node <= kNodesMax; ++node) plan.members.push_back({node, samples::boot(1)});
  set.members = plan.members;
  plan.stream_bases.resize(kNodesMax * kLanesMax);
  plan.ballots.resize(kNodesMax, samples::ballot());
  for (Ballot& ballot : plan.ballots) ballot.amendment.votes.resize(kNodesMax, 1000);
  LanePlan lane{.cut = kHoldingsMax, .regular = 0};
  lane.streams.resize(kNodesMax);
  for (Position at = 0; at < kHoldingsMax; ++at) lane.holdings.push_back({{at, at + 1}, 1});
  set.lanes.assign(kLanesMax, lane);
  plan.sets.push_back(set);

  const std::vector<std::byte> bytes = bytes_of(plan);

  EXPECT_LE(bytes.size(), kMessageBytesMax);
  EXPECT_EQ(decode_plan(bytes), plan);
}

// A decoder may accept a flipped message, but only as one that encodes to the very same bytes:
// nothing is skipped, so nothing can hide.
TEST(Messages, HaveOneEncodingEach) {
  const auto try_all = [](const auto& message, auto decode) {
    std::vector<std::byte> bytes = bytes_of(message);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      const auto other = decode(bytes);
      if (other) {
        EXPECT_EQ(bytes_of(*other), bytes);
      }
      bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    }
  };
  try_all(samples::hello(), decode_hello);
  try_all(samples::prepare(), decode_prepare);
  try_all(samples::refusal(), decode_refusal);
  try_all(samples::report(), decode_report);
  try_all(samples::plan(), decode_plan);
  try_all(samples::done(), decode_done);
}

}  // namespace
}  // namespace phalanx::wire
