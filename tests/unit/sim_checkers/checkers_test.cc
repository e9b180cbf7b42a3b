#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/sim/checkers/observer.h"
#include "tests/sim/checkers/violation.h"
#include "tests/sim/payload.h"

namespace phalanx::sim {
namespace {

/// Two nodes in one view, told to an observer step by step: a correct history unless a test plants
/// something.
class ObservedPair : public testing::Test {
 protected:
  ObservedPair() : observer_(/*lanes=*/1, /*window_bytes=*/1024, /*window_frames=*/4) {
    for (NodeId node = 1; node <= 2; ++node) {
      members_.push_back({node, BootId{{static_cast<std::uint8_t>(node)}}});
      who_[node - 1] = observer_.on_boot(members_.back());
    }
    install_all(1, {});
    for (int reader = 0; reader < 2; ++reader) {
      for (NodeId node = 1; node <= 2; ++node) group_state(reader, node);
    }
  }

  [[nodiscard]] ViewId view_id(std::uint64_t sequence) const {
    return {sequence, 1, members_[0].boot};
  }

  [[nodiscard]] wire::Plan plan(std::uint64_t sequence, const ViewId& old_view) const {
    wire::Plan plan{.attempt = view_id(sequence), .members = members_};
    if (!old_view.is_none()) {
      plan.sets.push_back({.old_view = old_view, .members = members_, .lanes = {{.cut = 1 << 20}}});
    }
    return plan;
  }

  void deliver_view(int reader, std::uint64_t sequence, bool together) {
    core::ViewRecord record{.view = view_id(sequence)};
    for (const Member& member : members_) record.members.push_back({member, together});
    std::vector<std::byte> payload(core::view_record_bytes(members_.size()));
    core::encode_view_record(record, payload);
    observer_.on_deliver(who_[reader], 0,
                         {.header = {.kind = core::RecordKind::View}, .payload = payload});
  }

  void install_all(std::uint64_t sequence, const ViewId& old_view) {
    for (int reader = 0; reader < 2; ++reader)
      observer_.on_install(who_[reader], plan(sequence, old_view));
    for (int reader = 0; reader < 2; ++reader) {
      if (!old_view.is_none()) transitional(reader);
      deliver_view(reader, sequence, !old_view.is_none());
    }
  }

  void transitional(int reader) {
    observer_.on_deliver(
        who_[reader], 0,
        {.header = {.kind = core::RecordKind::Transitional}, .transitional = true});
  }

  void group_state(int reader, NodeId node) {
    const std::array<std::byte, 4> none{};
    observer_.on_deliver(
        who_[reader], 0,
        {.header = {.payload_bytes = 4, .kind = core::RecordKind::GroupState, .origin = node},
         .payload = none});
  }

  core::RecordHeader submit(int origin, Position position, std::uint8_t flags = 0) {
    const Submission submission{.position = position,
                                .payload_bytes = 8,
                                .flags = flags,
                                .client = 1,
                                .group = 5,
                                .content = position};
    observer_.on_submit(who_[origin], 0, submission);
    return {.payload_bytes = 8,
            .flags = flags,
            .origin = members_[static_cast<std::size_t>(origin)].node,
            .client = 1,
            .stream_position = position,
            .group = 5};
  }

  void deliver(int reader, const core::RecordHeader& header, std::uint64_t content,
               bool late = false) {
    std::vector<std::byte> payload(header.payload_bytes);
    fill_payload({.payload_bytes = header.payload_bytes, .content = content}, payload);
    observer_.on_deliver(who_[reader], 0,
                         {.header = header, .payload = payload, .transitional = late});
  }
  void deliver(int reader, const core::RecordHeader& header) {
    deliver(reader, header, header.stream_position);
  }

  template <class F>
  static std::string violation_of(F&& happens) {
    try {
      happens();
    } catch (const Violation& violation) {
      return violation.guarantee.substr(0, violation.guarantee.find(' '));
    }
    return "none";
  }

  Observer observer_;
  std::vector<Member> members_;
  std::array<Incarnation, 2> who_{};
};

TEST_F(ObservedPair, ACorrectHistoryIsNoViolation) {
  const auto a = submit(0, 40);
  const auto b = submit(1, 40);
  for (int reader = 0; reader < 2; ++reader) {
    deliver(reader, a);
    deliver(reader, b);
  }

  EXPECT_EQ(violation_of([&] { install_all(2, view_id(1)); }), "none");
  EXPECT_EQ(violation_of([&] { observer_.at_end(); }), "none");
}

TEST_F(ObservedPair, G1TwoRecordsAtOneIndex) {
  const auto a = submit(0, 40);
  const auto b = submit(1, 40);
  deliver(0, a);

  EXPECT_EQ(violation_of([&] { deliver(1, b); }), "G1");
}

TEST_F(ObservedPair, G1OtherBytesAtAPositionOfTheLog) {
  const std::array<std::byte, 8> first{};
  const std::array<std::byte, 8> other{std::byte{1}};
  const wire::FrameHeader header{.type = wire::FrameType::Ordered, .sender = 1};
  observer_.on_send(who_[0], header, first);

  EXPECT_EQ(violation_of([&] { observer_.on_send(who_[1], header, other); }), "G1");
}

TEST_F(ObservedPair, G2DifferentMessagesOnTheSameWay) {
  const auto a = submit(0, 40);
  for (int reader = 0; reader < 2; ++reader) {
    observer_.on_install(who_[reader], plan(2, view_id(1)));
    transitional(reader);
  }
  deliver(0, a, a.stream_position, /*late=*/true);  // Node 2 never gets it.
  deliver_view(0, 2, /*together=*/true);

  EXPECT_EQ(violation_of([&] { deliver_view(1, 2, /*together=*/true); }), "G2");
}

TEST_F(ObservedPair, G2CompanyThatDidNotComeAlong) {
  observer_.on_install(who_[0], plan(2, view_id(1)));
  observer_.on_install(who_[1], plan(2, view_id(1)));
  transitional(0);

  EXPECT_EQ(violation_of([&] { deliver_view(0, 2, /*together=*/false); }), "G2");
}

TEST_F(ObservedPair, G3TwiceDelivered) {
  const auto a = submit(0, 40);
  deliver(1, a);

  EXPECT_EQ(violation_of([&] { deliver(1, a); }), "G3");
}

TEST_F(ObservedPair, G3AcceptedAndNeverDeliveredToItsOrigin) {
  (void)submit(0, 40);

  EXPECT_EQ(violation_of([&] { observer_.at_end(); }), "G3");
}

TEST_F(ObservedPair, G3DeliveredInAnotherViewThanItWasSentIn) {
  const auto a = submit(0, 40);
  const std::array<std::byte, 40> frame{};
  observer_.on_send(who_[0], {.type = wire::FrameType::Submit, .sender = 1, .position = 40}, frame);

  EXPECT_EQ(violation_of([&] { install_all(2, view_id(1)); }), "G3");
  (void)a;
}

TEST_F(ObservedPair, G4AHoleInAStream) {
  const auto a = submit(0, 40);
  (void)submit(0, 80);
  const auto c = submit(0, 120);
  deliver(1, a);

  EXPECT_EQ(violation_of([&] { deliver(1, c); }), "G4");
}

TEST_F(ObservedPair, G4AnAnswerBeforeWhatItAnswers) {
  const auto question = submit(0, 40);
  deliver(0, question);
  deliver(1, question);
  const auto second = submit(0, 80);
  deliver(0, second);
  const auto answer = submit(0, 120);  // Its origin has delivered both.
  (void)answer;

  EXPECT_EQ(violation_of([&] { deliver(1, answer); }), "G4");
}

TEST_F(ObservedPair, G5SafeButNotReceivedByAll) {
  const auto a = submit(0, 40, core::kRecordSafe);

  EXPECT_EQ(violation_of([&] { deliver(0, a); }), "G5");
}

TEST_F(ObservedPair, G6OtherBytesThanWereSubmitted) {
  const auto a = submit(0, 40);

  EXPECT_EQ(violation_of([&] { deliver(0, a, /*content=*/41); }), "G6");
}

TEST_F(ObservedPair, G6ARecordThatNobodySubmitted) {
  EXPECT_EQ(violation_of([&] {
              deliver(0, {.payload_bytes = 8, .origin = 1, .client = 1, .stream_position = 40});
            }),
            "G6");
}

TEST_F(ObservedPair, G7ASequenceThatDoesNotGrow) {
  wire::Plan again = plan(1, view_id(1));
  again.attempt.representative = 2;

  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[0], again); }), "G7");
}

TEST_F(ObservedPair, G7TwoMembershipsOfOneView) {
  observer_.on_install(who_[0], plan(2, view_id(1)));
  wire::Plan other = plan(2, view_id(1));
  other.members.erase(other.members.begin());

  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[1], other); }), "G7");
}

TEST_F(ObservedPair, G7ARecordBeforeTheBarrier) {
  install_all(2, view_id(1));
  group_state(0, 1);
  const auto a = submit(0, 40);

  EXPECT_EQ(violation_of([&] { deliver(0, a); }), "G7");
}

TEST_F(ObservedPair, G7AnOldStateFileExcusesLowSequencesOfThatNodeAlone) {
  observer_.on_lost_disk(1);
  wire::Plan low = plan(1, {});
  low.attempt.representative = 2;

  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[0], low); }), "none");
  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[1], low); }), "G7");
}

TEST_F(ObservedPair, G8AnEndThatDoesNotCome) {
  EXPECT_EQ(violation_of([] { Liveness::stuck(kSecond, "n1 has no view"); }), "G8");
  EXPECT_EQ(violation_of([] { Liveness::unsettled(kSecond, "n1 has no view"); }), "G8");
  EXPECT_EQ(violation_of([] { Liveness::accused("2.1.00000000"); }), "G8");
}

TEST_F(ObservedPair, QuorumTwoAnswersInOneView) {
  observer_.on_install(who_[0], plan(2, view_id(1)), true);

  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[1], plan(2, view_id(1)), false); }),
            "quorum");
}

TEST_F(ObservedPair, QuorumTwoViewsThatShareNoNode) {
  for (std::size_t reader = 0; reader < 2; ++reader) {
    wire::Plan alone = plan(2 + reader, {});
    alone.attempt.representative = members_[reader].node;
    alone.members = {members_[reader]};
    const auto installs = [&](bool quorate) {
      return violation_of([&] { observer_.on_install(who_[reader], alone, quorate); });
    };
    EXPECT_EQ(installs(true), reader == 0 ? "none" : "quorum");
  }
}

TEST_F(ObservedPair, QuorumMembersThatCountWithOtherVotes) {
  observer_.on_install(who_[0], plan(2, view_id(1)), true, {5, 3, {1, 2}});

  const wire::Amendment other{5, 3, {2, 1}};
  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[1], plan(2, view_id(1)), true, other); }),
            "quorum");
}

TEST_F(ObservedPair, QuorumAChangeOfVotesThatGotLost) {
  for (const int reader : {0, 1}) {
    observer_.on_install(who_[reader], plan(2, view_id(1)), true, {2, 3, {1, 2}});
  }

  EXPECT_EQ(violation_of([&] { observer_.on_install(who_[0], plan(3, view_id(2)), true); }),
            "quorum");
}

TEST_F(ObservedPair, G9TheLogBeyondTheWindow) {
  const std::vector<std::byte> frame(600);
  const auto send = [&](Position at) {
    observer_.on_send(who_[0], {.type = wire::FrameType::Ordered, .sender = 1, .position = at},
                      frame);
  };
  send(0);

  EXPECT_EQ(violation_of([&] { send(600); }), "G9");
}

TEST_F(ObservedPair, G9MoreFramesThanTheWindow) {
  const std::vector<std::byte> frame(8);
  const auto send = [&](Position at) {
    observer_.on_send(who_[0], {.type = wire::FrameType::Ordered, .sender = 1, .position = at},
                      frame);
  };
  for (Position at = 0; at < 32; at += 8) send(at);

  EXPECT_EQ(violation_of([&] { send(0); }), "none");
  EXPECT_EQ(violation_of([&] { send(32); }), "G9");
}

TEST_F(ObservedPair, G9AWorkerThatNeverSleeps) {
  EXPECT_EQ(violation_of([&] { Bounds::spins(observer_.facts(), who_[0]); }), "G9");
}

TEST_F(ObservedPair, G10AFrameOpenedTwice) {
  observer_.on_open(who_[0], /*key=*/7, /*space=*/0, /*counter=*/5);

  EXPECT_EQ(violation_of([&] { observer_.on_open(who_[1], 7, 0, 5); }), "none");
  EXPECT_EQ(violation_of([&] { observer_.on_open(who_[0], 7, 0, 5); }), "G10");
}

TEST_F(ObservedPair, G10AnIncarnationThatStartsItsCountersAgain) {
  observer_.on_seal(who_[0], /*key=*/7, /*space=*/1, /*counter=*/1);
  observer_.on_crash(who_[0]);
  observer_.on_lost_disk(1);
  const Incarnation again = observer_.on_boot({1, BootId{{9}}});

  EXPECT_EQ(violation_of([&] { observer_.on_seal(again, 8, 1, 1); }), "none");
  EXPECT_EQ(violation_of([&] { observer_.on_seal(again, 7, 1, 1); }), "G10");
}

TEST_F(ObservedPair, G10ANonceTwiceUnderOneKey) {
  observer_.on_seal(who_[0], /*key=*/7, /*space=*/0, /*counter=*/5);

  EXPECT_EQ(violation_of([&] { observer_.on_seal(who_[0], 7, 0, 5); }), "G10");
  EXPECT_EQ(violation_of([&] { observer_.on_seal(who_[0], 7, 1, 5); }), "none");
}

}  // namespace
}  // namespace phalanx::sim
