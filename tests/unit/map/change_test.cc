#include <gtest/gtest.h>

#include "tests/unit/map/bench.h"

namespace phalanx::map {
namespace {

using Change = shm::MapReader::Change;
using shm::MapEvent;

TEST(MapChanges, TellAddModifyAndDeleteWithOldAndNewValue) {
  Bench bench;
  (void)bench.set_u64("app.x", 1);
  (void)bench.set_text("app.x", "two");
  (void)bench.store.remove("app.x", kAdmin);

  Seen seen;
  ASSERT_EQ(bench.take(seen), Change::Taken);
  EXPECT_EQ(seen.event, MapEvent::Add);
  EXPECT_EQ(seen.key, "app.x");
  EXPECT_EQ(seen.value, bytes_of(std::uint64_t{1}));
  EXPECT_EQ(seen.old_type, MapType::None);
  ASSERT_EQ(bench.take(seen), Change::Taken);
  EXPECT_EQ(seen.event, MapEvent::Modify);
  EXPECT_EQ(seen.type, MapType::String);
  EXPECT_EQ(seen.value, text_bytes("two"));
  EXPECT_EQ(seen.old_type, MapType::U64);
  EXPECT_EQ(seen.old_value, bytes_of(std::uint64_t{1}));
  ASSERT_EQ(bench.take(seen), Change::Taken);
  EXPECT_EQ(seen.event, MapEvent::Delete);
  EXPECT_EQ(seen.old_value, text_bytes("two"));
  EXPECT_TRUE(seen.value.empty());
  EXPECT_EQ(seen.sequence, 3u);
  EXPECT_EQ(bench.take(seen), Change::None);
}

TEST(MapChanges, SettingWhatIsThereIsNone) {
  Bench bench;
  (void)bench.set_u64("app.x", 1);
  Seen seen;
  ASSERT_EQ(bench.take(seen), Change::Taken);

  EXPECT_EQ(bench.set_u64("app.x", 1), MapStatus::Ok);

  EXPECT_EQ(bench.take(seen), Change::None);
}

// Records of many lengths, so that the ring's end is met in every way.
TEST(MapChanges, AReaderThatKeepsUpGetsEachOnceAlsoWhereTheRingBeginsAnew) {
  Bench bench;
  Seen seen;
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    const std::string text(i * 37 % 3000, 'a');
    ASSERT_EQ(bench.set_text(i % 2 == 0 ? "app.even" : "app.odd", std::to_string(i) + text),
              MapStatus::Ok);
    ASSERT_EQ(bench.take(seen), Change::Taken) << i;
    ASSERT_EQ(seen.sequence, i);
    ASSERT_EQ(seen.value, text_bytes(std::to_string(i) + text));
  }

  EXPECT_GT(bench.store.log_head(), 3u * shm::kMapLogBytes);
}

TEST(MapChanges, ASlowReaderIsToldWhatItLostAndGoesOnWithTheNextChange) {
  Bench bench;
  const std::string text(10'000, 'a');
  Seen seen;
  for (int i = 0; i < 1000; ++i) (void)bench.set_text("app.x", std::to_string(i) + text);

  ASSERT_EQ(bench.take(seen), Change::Lost);
  const std::uint64_t before = bench.cursor.sequence;
  ASSERT_TRUE(bench.store.reader().end(bench.cursor));
  EXPECT_EQ(bench.cursor.sequence - before, 1000u);
  ASSERT_EQ(bench.take(seen), Change::None);

  (void)bench.set_u64("app.y", 1);
  ASSERT_EQ(bench.take(seen), Change::Taken);
  EXPECT_EQ(seen.key, "app.y");
}

TEST(MapChanges, ARefusedWriteIsNone) {
  Bench bench;
  bench.store.reserve("node.");
  (void)bench.set_u64("app.x", 1, kAnna);
  Seen seen;
  ASSERT_EQ(bench.take(seen), Change::Taken);

  (void)bench.set_u64("app.x", 2, kBert);
  (void)bench.set_u64("node.x", 2);
  (void)bench.set_u64("?", 2);

  EXPECT_EQ(bench.take(seen), Change::None);
}

TEST(MapReader, FollowsNoOffsetOrLengthThatCannotBe) {
  Bench bench;
  for (std::uint64_t i = 0; i < 64; ++i) (void)bench.set_u64("app.k" + std::to_string(i), i);
  bench.memory->index[32] = 0xffff'fff0;
  shm::MapReader::Found found{};

  EXPECT_EQ(bench.store.reader().find("app.k3", found, {}), shm::MapReader::Result::Torn);

  bench.memory->count = shm::kMapKeysMax + 1;
  EXPECT_EQ(bench.store.reader().find("app.k3", found, {}), shm::MapReader::Result::Torn);
}

TEST(MapReader, GivesUpOnAWriterThatDiedInTheMiddle) {
  Bench bench;
  (void)bench.set_u64("app.x", 1);
  bench.memory->round |= 1;
  shm::MapReader::Found found{};

  EXPECT_EQ(bench.store.reader().find("app.x", found, {}), shm::MapReader::Result::Torn);
  EXPECT_FALSE(bench.store.reader().end(bench.cursor));
}

TEST(MapReader, LosesItsPlaceInALogOfRubbishAndNothingElse) {
  Bench bench;
  (void)bench.set_u64("app.x", 1);
  const std::uint32_t absurd = 0xffff'ffff;
  std::memcpy(bench.memory->log, &absurd, sizeof absurd);
  Seen seen;

  EXPECT_EQ(bench.take(seen), Change::Lost);

  bench.cursor.position = 1u << 30;
  EXPECT_EQ(bench.take(seen), Change::Lost);
}

}  // namespace
}  // namespace phalanx::map
