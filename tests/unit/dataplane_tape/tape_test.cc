#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/tape/core_replay.h"
#include "tests/unit/dataplane_core/bench.h"

namespace phalanx::tape {
namespace {

using core::testing::Bench;

/// Three nodes of which each keeps a tape.
class TapedBench {
 public:
  explicit TapedBench(const core::testing::Sizes& sizes = {}) : bench(3, sizes) {
    for (std::size_t i = 0; i < 3; ++i) {
      memory.emplace_back(kTapeLayout.bytes());
      tapes.push_back(std::make_unique<CoreTape>(memory[i], bench.config(i), 3));
      bench[i].tape = tapes[i].get();
    }
  }

  /// Messages of all that are still on their way when the view changes.
  void busy_change(const std::vector<std::size_t>& nodes) {
    for (int i = 0; i < 6; ++i) {
      for (const std::size_t node : nodes) (void)bench.submit(node, "m" + std::to_string(i));
      bench.step(2);
    }
    bench.change_view(nodes);
    bench.step(20);
  }

  Bench bench;
  std::vector<std::vector<std::byte>> memory;
  std::vector<std::unique_ptr<CoreTape>> tapes;
};

/// The same tape with one step changed by `change`, checksums right.
template <class Change>
std::vector<std::byte> changed(const std::vector<std::byte>& memory, Change change) {
  std::vector<std::byte> out(kTapeLayout.bytes());
  recorder::TapeWriter writer(out, kTapeLayout);
  for (const recorder::TapeRecord& record : recorder::read_tape(memory, kTapeLayout)) {
    std::vector<std::byte> payload(record.payload.begin(), record.payload.end());
    if (!record.image) change(payload);
    EXPECT_TRUE(record.image ? writer.image({payload}) : writer.step({payload}));
  }
  return out;
}

TEST(CoreTape, ReplaysViewChangesToTheSameOutcomes) {
  TapedBench it;
  it.bench.change_view({0, 1, 2});
  it.bench.step(50);
  it.bench.drop_percent = 20;  // Recovery has something to ask for.
  it.busy_change({0, 1, 2});
  it.busy_change({0, 2});
  it.busy_change({0, 2});

  for (const std::size_t node : {0U, 2U}) {
    std::uint64_t frames = 0;
    const CoreReplay result = replay(it.memory[node], [&](const CoreReplayStep& step) {
      frames += step.step.kind == StepKind::Frame ? 1 : 0;
    });

    EXPECT_FALSE(result.differs) << result.difference;
    EXPECT_EQ(result.spoilt, 0U);
    EXPECT_EQ(result.images, 1U);
    EXPECT_EQ(result.installs, 4U);
    EXPECT_GT(frames, 3U);
  }
}

TEST(CoreTape, ReplaysWhatIsOrderedBetweenViewChanges) {
  TapedBench it({.handover = true});
  it.bench.change_view({0, 1, 2});
  it.bench.drop_percent = 10;

  for (int i = 0; i < 300; ++i) {
    (void)it.bench.submit(static_cast<std::size_t>(i) % 3, "message " + std::to_string(i), 0,
                          i % 4 == 0 ? core::kRecordSafe : std::uint8_t{0});
    it.bench.step(3);
  }

  for (std::size_t node = 0; node < 3; ++node) {
    std::size_t commits = 0;
    std::size_t rows = 0;
    const CoreReplay result = replay(it.memory[node], [&](const CoreReplayStep& step) {
      commits += step.step.kind == StepKind::Commit ? 1 : 0;
      rows += step.step.kind == StepKind::Frame &&
                      step.step.flag == static_cast<std::uint8_t>(wire::FrameType::Row)
                  ? 1
                  : 0;
    });

    EXPECT_TRUE(it.tapes[node]->records());
    EXPECT_FALSE(result.differs) << result.difference;
    EXPECT_EQ(result.spoilt, 0U);
    EXPECT_GT(commits, 30U);
    EXPECT_GT(rows, 100U);
    EXPECT_EQ(result.last, it.bench.now);
  }
}

/// Under load nothing but view changes; a core that has become quiet is kept again, as it is then.
TEST(CoreTape, KeepsNothingAboveItsBudgetUntilTheCoreIsQuiet) {
  TapedBench it;
  it.bench.change_view({0, 1, 2});
  const std::string text(1000, 'x');
  const auto flood = [&](int turns) {
    for (int i = 0; i < turns; ++i) {
      (void)it.bench.submit(0, text);
      it.bench.step();
      it.tapes[0]->consider(*it.bench[0].core, it.bench.now);
    }
  };
  flood(1000);
  EXPECT_FALSE(it.tapes[0]->records());
  const auto under_load = recorder::read_tape(it.memory[0], kTapeLayout).size();
  flood(20'000);
  EXPECT_FALSE(it.tapes[0]->records());
  EXPECT_EQ(recorder::read_tape(it.memory[0], kTapeLayout).size(), under_load);
  it.busy_change({0, 1, 2});
  flood(1000);
  const CoreReplay before = replay(it.memory[0]);

  for (int i = 0; i < 30'000; ++i) {
    it.bench.step();
    it.tapes[0]->consider(*it.bench[0].core, it.bench.now);
  }
  EXPECT_TRUE(it.tapes[0]->records());
  (void)it.bench.submit(0, text);
  it.bench.step(20);

  EXPECT_EQ(before.installs, 2U);
  const CoreReplay result = replay(it.memory[0]);
  EXPECT_FALSE(result.differs) << result.difference;
  EXPECT_EQ(result.spoilt, 0U);
  EXPECT_GT(result.images, before.images);
  EXPECT_GT(result.steps, before.steps + 100);
  EXPECT_EQ(result.last, it.bench.now);
}

TEST(CoreTape, SaysWhichStepComesOutOtherwise) {
  TapedBench it;
  it.bench.change_view({0, 1, 2});
  it.bench.step(50);
  it.busy_change({0, 1, 2});
  for (const StepKind kind : {StepKind::Report, StepKind::Plan, StepKind::Install}) {
    const auto other = changed(it.memory[0], [&](std::vector<std::byte>& payload) {
      if (payload[0] == static_cast<std::byte>(kind)) payload[24] ^= std::byte{1};
    });

    const CoreReplay result = replay(other);

    EXPECT_TRUE(result.differs);
    EXPECT_NE(result.difference.find(to_string(kind)), std::string::npos) << result.difference;
  }
}

TEST(CoreTape, IsReplayedAsFarAsItIsSound) {
  TapedBench it;
  it.bench.change_view({0, 1, 2});
  it.busy_change({0, 1, 2});
  it.busy_change({0, 1, 2});
  const CoreReplay whole = replay(it.memory[0]);
  const auto records = recorder::read_tape(it.memory[0], kTapeLayout);
  const auto middle =
      static_cast<std::size_t>(records[records.size() / 2].payload.data() - it.memory[0].data());

  std::vector<std::byte> spoilt = it.memory[0];
  spoilt[middle] ^= std::byte{1};
  const CoreReplay some = replay(spoilt);
  const CoreReplay cut = replay(std::span(it.memory[0]).first(middle));
  // A frame of a lane that there is not, a plan of rubbish: checked, and left out.
  const auto foreign = changed(it.memory[0], [](std::vector<std::byte>& payload) {
    if (payload[0] == static_cast<std::byte>(StepKind::Plan)) payload.resize(40);
  });
  const CoreReplay odd = replay(foreign);

  EXPECT_FALSE(some.differs) << some.difference;
  EXPECT_LT(some.steps, whole.steps);
  EXPECT_EQ(some.steps, cut.steps);
  EXPECT_GT(cut.steps, 0U);
  EXPECT_FALSE(odd.differs);
  EXPECT_EQ(odd.spoilt, 1U);  // What follows it would differ for no reason.
  EXPECT_EQ(odd.installs, 0U);
  EXPECT_EQ(replay({}).steps, 0U);
}

TEST(CoreTape, TurnsOverBeforeAViewChangeCouldFindNoRoom) {
  TapedBench it({.record = 1 << 19,
                 .window = 1 << 20,
                 .submit_window = 1 << 19,
                 .log = 1 << 23,
                 .frame = 8000});
  it.bench.change_view({0, 1, 2});
  it.bench.step(50);
  const std::string large(200'000, 'x');
  for (int change = 0; change < 12; ++change) {
    for (int i = 0; i < 2; ++i) {
      for (const std::size_t node : {0U, 1U, 2U}) (void)it.bench.submit(node, large);
    }
    it.bench.step(1);
    it.bench.change_view({0, 1, 2});
    it.bench.step(50);
  }

  const CoreReplay result = replay(it.memory[0]);

  EXPECT_FALSE(result.differs) << result.difference;
  EXPECT_EQ(result.spoilt, 0U);
  EXPECT_GE(result.installs, 2U);
  EXPECT_GT(recorder::read_tape(it.memory[0], kTapeLayout).front().number, 1U);
}

}  // namespace
}  // namespace phalanx::tape
