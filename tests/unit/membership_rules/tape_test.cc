#include "controlplane/membership/tape.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "controlplane/membership/input.h"

namespace phalanx::membership {
namespace {

Member member(NodeId node) {
  Member m{.node = node, .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(node);
  return m;
}

/// Two nodes whose control messages reach one another at once; the first one's steps are kept.
class Couple {
 public:
  explicit Couple(Tape* tape) : tape_(tape) {
    for (NodeId node = 1; node <= 2; ++node) {
      machines_.emplace_back(MembershipConfig{.self = member(node), .nodes = {1, 2}}, 0);
    }
    if (tape_ != nullptr) tape_->begin(machines_[0]);
    for (std::size_t i = 0; i < 2; ++i) give(i, {.kind = InputKind::Start, .now = now_});
  }

  void give(std::size_t to, const Input& input) {
    const auto actions = apply(machines_[to], input);
    if (to == 0 && tape_ != nullptr) {
      tape_->step(machines_[0], input, outcome_of(actions, machines_[0]));
    }
    if (!actions) return;
    if (actions->freeze) {
      wire::Report report{.attempt = machines_[to].attempt(), .old_view = machines_[to].view()};
      report.lanes.resize(1);
      Input frozen{.kind = InputKind::Frozen, .now = now_};
      wire::encode(report, frozen.bytes);
      queue_.push_back({to, frozen});
    }
    if (actions->recover) {
      queue_.push_back(
          {to, {.kind = InputKind::Recovered, .now = now_, .view = actions->recover->attempt}});
    }
    if (actions->install) {
      queue_.push_back(
          {to, {.kind = InputKind::Installed, .now = now_, .view = actions->install->attempt}});
    }
    for (const Send& send : actions->sends) {
      queue_.push_back({1 - to,
                        {.kind = InputKind::Message,
                         .now = now_,
                         .from = member(static_cast<NodeId>(to + 1)),
                         .message = send.kind,
                         .bytes = send.bytes}});
    }
  }

  void run(TimeNs time, bool deaf = false) {
    for (const TimeNs end = now_ + time; now_ < end; now_ += kMillisecond) {
      std::vector<std::pair<std::size_t, Input>> batch;
      batch.swap(queue_);
      for (auto& [to, input] : batch) {
        if (deaf && input.kind == InputKind::Message) continue;
        input.now = now_;
        give(to, input);
      }
      for (std::size_t i = 0; i < 2; ++i) {
        const NodeId peer = static_cast<NodeId>(2 - i);
        const std::vector<PeerSeen> seen = {
            {.node = peer, .heard = deaf ? 0 : now_, .progressed = deaf ? 0 : now_}};
        give(i, {.kind = InputKind::Seen, .now = now_, .seen = seen});
        give(i, {.kind = InputKind::Time, .now = now_});
      }
    }
  }

  [[nodiscard]] const Membership& first() const { return machines_[0]; }
  [[nodiscard]] TimeNs now() const noexcept { return now_; }

 private:
  Tape* tape_;
  std::vector<Membership> machines_;
  std::vector<std::pair<std::size_t, Input>> queue_;
  TimeNs now_ = kSecond;
};

struct Kept {
  std::vector<std::byte> memory = std::vector<std::byte>(kTapeLayout.bytes());
  Tape tape{memory};
};

TEST(Tape, ReplaysAViewAndALossToTheSameDecisions) {
  Kept kept;
  Couple couple(&kept.tape);
  couple.run(300 * kMillisecond);
  ASSERT_EQ(couple.first().members().size(), 2U);
  couple.give(0, retimed({.dead_after = 200 * kMillisecond,
                          .stall_after = 700 * kMillisecond,
                          .hold_min = 20 * kMillisecond,
                          .hold_max = kSecond},
                         couple.now()));
  couple.run(1500 * kMillisecond, /*deaf=*/true);
  ASSERT_EQ(couple.first().members().size(), 1U);

  std::uint64_t installs = 0;
  const Replay result = replay(kept.memory, [&](const ReplayStep& step) {
    installs += step.input.kind == InputKind::Installed ? 1 : 0;
  });

  EXPECT_FALSE(result.differs) << result.difference;
  EXPECT_EQ(result.spoilt, 0U);
  EXPECT_GT(result.steps, 3000U);
  EXPECT_GE(installs, 2U);
}

TEST(Tape, GoesOnFromTheImageInItsMiddle) {
  Kept kept;
  Couple couple(&kept.tape);
  for (int i = 0; i < 8; ++i) {
    couple.run(kSecond);
    couple.run(kSecond, /*deaf=*/true);
  }

  const Replay result = replay(kept.memory);

  EXPECT_FALSE(result.differs) << result.difference;
  EXPECT_EQ(result.spoilt, 0U);
  EXPECT_EQ(result.images, 2U);
  EXPECT_FALSE(recorder::read_tape(kept.memory, kTapeLayout).front().number == 1)
      << "it never turned over";
}

TEST(Tape, AnImageGivesAMachineWithTheSameImage) {
  Couple couple(nullptr);
  couple.run(700 * kMillisecond);
  couple.run(60 * kMillisecond, /*deaf=*/true);

  const std::vector<std::byte> image = couple.first().image();
  const auto again = Membership::of_image(image);

  ASSERT_TRUE(again);
  EXPECT_EQ(again->image(), image);
  for (std::size_t cut = 0; cut < image.size(); ++cut) {
    EXPECT_FALSE(Membership::of_image(std::span(image).first(cut))) << cut;
  }
}

TEST(Tape, SaysWhichDecisionDiffers) {
  Kept kept;
  Couple couple(&kept.tape);
  couple.run(300 * kMillisecond);
  // One step of another machine among them: as if the code had decided otherwise.
  Input input{.kind = InputKind::Time, .now = 2 * kSecond};
  kept.tape.step(couple.first(), input, Outcome{.did = 1, .sends = 7});

  const Replay result = replay(kept.memory);

  EXPECT_TRUE(result.differs);
  EXPECT_NE(result.difference.find("recorded: freeze, 7 messages"), std::string::npos)
      << result.difference;
}

TEST(Tape, IsReplayedAsFarAsItIsSound) {
  Kept kept;
  Couple couple(&kept.tape);
  couple.run(300 * kMillisecond);
  const Replay whole = replay(kept.memory);
  const auto records = recorder::read_tape(kept.memory, kTapeLayout);
  const std::size_t middle =
      static_cast<std::size_t>(records[records.size() / 2].payload.data() - kept.memory.data());

  std::vector<std::byte> spoilt = kept.memory;
  spoilt[middle] ^= std::byte{1};
  const Replay some = replay(spoilt);
  const Replay cut = replay(std::span(kept.memory).first(middle));

  EXPECT_FALSE(some.differs);
  EXPECT_LT(some.steps, whole.steps);
  EXPECT_EQ(some.steps, cut.steps);
  EXPECT_GT(cut.steps, whole.steps / 3);
  EXPECT_EQ(replay({}).steps, 0U);
}

TEST(TapeInput, IsTheSameAfterItsBytes) {
  Input input{.kind = InputKind::Message,
              .now = 5,
              .from = member(3),
              .message = wire::MessageKind::Plan,
              .up = true,
              .view = {7, 1, member(1).boot},
              .seen = {{.node = 2, .heard = 8, .progressed = 9, .distrusts_itself = true}},
              .bytes = {std::byte{1}, std::byte{2}}};
  std::vector<std::byte> bytes;
  encode(input, bytes);

  EXPECT_EQ(decode_input(bytes), input);
  for (std::size_t cut = 0; cut + 2 < bytes.size(); ++cut) {
    EXPECT_FALSE(decode_input(std::span(bytes).first(cut)));
  }
}

// They may come from a file that somebody scribbled on.
TEST(TapeInput, TimesThatAreNotSoundAreNoStep) {
  Membership machine{MembershipConfig{.self = member(1), .nodes = {1, 2}}, 0};
  const Times good{.dead_after = 2, .stall_after = 3, .hold_min = 4, .hold_max = 5};
  EXPECT_TRUE(apply(machine, retimed(good, kSecond)));
  for (TimeNs Times::*time :
       {&Times::dead_after, &Times::stall_after, &Times::hold_min, &Times::hold_max}) {
    Times bad = good;
    bad.*time = 0;
    EXPECT_FALSE(apply(machine, retimed(bad, kSecond)));
  }
  Input cut = retimed(good, kSecond);
  cut.bytes.pop_back();
  EXPECT_FALSE(apply(machine, cut));
}

}  // namespace
}  // namespace phalanx::membership
