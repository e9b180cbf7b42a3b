#include "dataplane/worker/muster.h"

#include <gtest/gtest.h>

#include "ipc/base/bytes.h"

namespace phalanx::worker {
namespace {

using shm::CommandKind;
using shm::Event;
using shm::WorkerEventKind;

constexpr ViewId kFirst{.sequence = 7, .representative = 1, .boot = {{1}}};
constexpr ViewId kSecond{.sequence = 8, .representative = 1, .boot = {{1}}};

Event said(WorkerEventKind kind, const ViewId& view) { return {.kind = kind, .view = view}; }

/// A report of a worker's lanes, each of which has received so much.
Event frozen(const ViewId& attempt, std::initializer_list<Position> received) {
  wire::Report report{.attempt = attempt};
  for (const Position position : received) {
    report.lanes.push_back({.received = position});
  }
  Event event = said(WorkerEventKind::Frozen, attempt);
  wire::encode(report, event.bytes);
  return event;
}

Event refused(CommandKind kind, const ViewId& attempt) {
  Event event = said(WorkerEventKind::Refused, attempt);
  event.token = static_cast<std::uint32_t>(kind);
  return event;
}

Event listed(std::uint32_t token, std::uint32_t count, std::size_t bytes) {
  Event event{.kind = WorkerEventKind::Groups, .token = token};
  event.bytes.resize(4 + bytes, static_cast<std::byte>(count));
  store_le<std::uint32_t>(event.bytes.data(), count);
  return event;
}

Event keys(std::uint32_t token, char text) {
  return {
      .kind = WorkerEventKind::KeysHeld, .token = token, .bytes = {static_cast<std::byte>(text)}};
}

struct MusterTest : testing::Test {
  void order(CommandKind kind, const ViewId& attempt, std::uint32_t token = 0) {
    muster.order({.kind = kind, .token = token, .attempt = attempt}, attempt);
  }
  Muster muster{2, 3};
};

TEST_F(MusterTest, AFreezeIsReportedOnceWithTheLanesInOrder) {
  order(CommandKind::Freeze, kFirst);
  EXPECT_FALSE(muster.answer(1, frozen(kFirst, {11})));

  const auto whole = muster.answer(0, frozen(kFirst, {10, 12}));

  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->view, kFirst);
  const auto report = wire::decode_report(whole->bytes);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->lanes.size(), 3U);
  for (std::size_t lane = 0; lane < 3; ++lane) {
    EXPECT_EQ(report->lanes[lane].received, 10 + lane);
  }
  EXPECT_FALSE(muster.answer(0, frozen(kFirst, {10, 12}))) << "that was all";
}

TEST_F(MusterTest, AnswersToAnEarlierAttemptCountNoMore) {
  order(CommandKind::Freeze, kFirst);
  EXPECT_FALSE(muster.answer(0, frozen(kFirst, {10, 12})));
  order(CommandKind::Freeze, kSecond);
  EXPECT_FALSE(muster.answer(1, frozen(kFirst, {11})));
  EXPECT_FALSE(muster.answer(1, frozen(kSecond, {11})));

  EXPECT_TRUE(muster.answer(0, frozen(kSecond, {10, 12})));
}

// A control plane that came anew asks again, and waits for the answer.
TEST_F(MusterTest, AskedAgainItAnswersAgain) {
  for (int times = 0; times < 2; ++times) {
    order(CommandKind::Freeze, kFirst);
    EXPECT_FALSE(muster.answer(0, frozen(kFirst, {10, 12})));
    EXPECT_TRUE(muster.answer(1, frozen(kFirst, {11})));
  }
}

TEST_F(MusterTest, NobodyMayInstallBeforeAllHaveRecovered) {
  order(CommandKind::BeginRecovery, kFirst);
  EXPECT_FALSE(muster.answer(0, said(WorkerEventKind::Recovered, kFirst)));
  EXPECT_FALSE(muster.recovered(kFirst));

  const auto whole = muster.answer(1, said(WorkerEventKind::Recovered, kFirst));

  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->kind, WorkerEventKind::Recovered);
  EXPECT_TRUE(muster.recovered(kFirst));
  EXPECT_FALSE(muster.recovered(kSecond));
  order(CommandKind::BeginRecovery, kSecond);
  EXPECT_FALSE(muster.recovered(kFirst));
}

TEST_F(MusterTest, AViewIsInstalledWhenAllHaveIt) {
  order(CommandKind::Install, kFirst);
  EXPECT_FALSE(muster.answer(1, said(WorkerEventKind::Installed, kFirst)));
  EXPECT_FALSE(muster.answer(1, said(WorkerEventKind::Installed, kFirst)));

  EXPECT_TRUE(muster.answer(0, said(WorkerEventKind::Installed, kFirst)));
}

TEST_F(MusterTest, ARefusalIsToldOnce) {
  order(CommandKind::BeginRecovery, kFirst);
  EXPECT_TRUE(muster.answer(1, refused(CommandKind::BeginRecovery, kFirst)));
  EXPECT_FALSE(muster.answer(0, refused(CommandKind::BeginRecovery, kFirst)));

  order(CommandKind::BeginRecovery, kSecond);
  EXPECT_FALSE(muster.answer(0, refused(CommandKind::BeginRecovery, kFirst))) << "of before";
  EXPECT_TRUE(muster.answer(0, refused(CommandKind::BeginRecovery, kSecond)));
}

// Half a node in one view and half of it in another could not be told from a lie.
TEST_F(MusterTest, AnInstallOfSomeIsTheEnd) {
  order(CommandKind::Install, kFirst);
  EXPECT_FALSE(muster.answer(0, said(WorkerEventKind::Installed, kFirst)));

  EXPECT_DEATH((void)muster.answer(1, refused(CommandKind::Install, kFirst)), "");
}

TEST_F(MusterTest, ListsOfGroupsBecomeOne) {
  order(CommandKind::ListGroups, {}, 5);
  EXPECT_FALSE(muster.answer(1, listed(4, 9, 10))) << "an answer to another question";
  EXPECT_FALSE(muster.answer(0, listed(5, 2, 10)));

  const auto whole = muster.answer(1, listed(5, 3, 20));

  ASSERT_TRUE(whole);
  EXPECT_EQ(load_le<std::uint32_t>(whole->bytes.data()), 5U);
  ASSERT_EQ(whole->bytes.size(), 34U);
  EXPECT_EQ(whole->bytes[4], std::byte{2});
  EXPECT_EQ(whole->bytes[33], std::byte{3});
}

TEST_F(MusterTest, AListThatFindsNoRoomIsLeftOutWhole) {
  order(CommandKind::ListGroups, {}, 5);
  EXPECT_FALSE(muster.answer(0, listed(5, 2, shm::kControlMessageBytesMax - 200)));

  const auto whole = muster.answer(1, listed(5, 3, 1000));

  ASSERT_TRUE(whole);
  EXPECT_EQ(load_le<std::uint32_t>(whole->bytes.data()), 2U);
}

TEST_F(MusterTest, KeysAreHeldWhenAllHoldThem) {
  EXPECT_FALSE(muster.answer(0, keys(1, 'a')));
  EXPECT_FALSE(muster.answer(0, keys(1, 'b')));
  const auto first = muster.answer(1, keys(1, 'a'));
  const auto second = muster.answer(1, keys(0, 'x'));

  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->token, 1U);
  EXPECT_EQ(second->token, 0U);
  EXPECT_EQ(second->bytes.front(), static_cast<std::byte>('x'));
}

TEST_F(MusterTest, OfClientsTheFirstOneSpeaks) {
  EXPECT_TRUE(muster.answer(0, {.kind = WorkerEventKind::ClientAttached}));
  EXPECT_FALSE(muster.answer(1, {.kind = WorkerEventKind::ClientAttached}));
  EXPECT_TRUE(muster.answer(1, {.kind = WorkerEventKind::Distrust}));
}

}  // namespace
}  // namespace phalanx::worker
