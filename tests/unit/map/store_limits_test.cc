#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/map/bench.h"

namespace phalanx::map {
namespace {

std::string numbered(std::uint32_t number) { return "app.k" + std::to_string(number); }

TEST(MapLimits, AFullMapSaysSoAndTakesMoreOnceSomethingIsGone) {
  Bench bench;
  const std::vector<std::byte> big(shm::kMapValueBytesMax);
  std::uint32_t count = 0;
  MapStatus status = MapStatus::Ok;
  while (status == MapStatus::Ok) {
    status = bench.store.set(numbered(count), MapType::Binary, big, kAdmin);
    if (status == MapStatus::Ok) ++count;
  }

  EXPECT_EQ(status, MapStatus::Full);
  EXPECT_GT(count, 180u);
  EXPECT_LE(bench.store.bytes(), shm::kMapBytesMax);
  ASSERT_EQ(bench.store.remove(numbered(0), kAdmin), MapStatus::Ok);
  EXPECT_EQ(bench.store.set(numbered(count), MapType::Binary, big, kAdmin), MapStatus::Ok);
}

TEST(MapLimits, TheNumberOfKeysIsLimited) {
  Bench bench;
  for (std::uint32_t i = 0; i < shm::kMapKeysMax; ++i) {
    ASSERT_EQ(bench.set_u64(numbered(i), i), MapStatus::Ok);
  }

  EXPECT_EQ(bench.set_u64("app.more", 1), MapStatus::Full);
  EXPECT_EQ(bench.set_u64(numbered(5), 1), MapStatus::Ok);
}

TEST(MapLimits, AUserHasAShareOfKeysAndLeavesTheRestToOthers) {
  Bench bench;
  for (std::uint32_t i = 0; i < Store::kUserKeysMax; ++i) {
    ASSERT_EQ(bench.set_u64(numbered(i), i, kAnna), MapStatus::Ok);
  }

  EXPECT_EQ(bench.set_u64("app.more", 1, kAnna), MapStatus::Limit);
  EXPECT_EQ(bench.set_u64("app.bert", 1, kBert), MapStatus::Ok);
  ASSERT_EQ(bench.store.remove(numbered(0), kAnna), MapStatus::Ok);
  EXPECT_EQ(bench.set_u64("app.more", 1, kAnna), MapStatus::Ok);
}

TEST(MapLimits, AUserHasAShareOfBytes) {
  Bench bench;
  const std::vector<std::byte> big(shm::kMapValueBytesMax);
  std::uint32_t count = 0;
  while (bench.store.set(numbered(count), MapType::Binary, big, kAnna) == MapStatus::Ok) ++count;

  EXPECT_EQ(bench.store.set(numbered(count), MapType::Binary, big, kAnna), MapStatus::Limit);
  EXPECT_LE(bench.store.bytes(), Store::kUserBytesMax);
  EXPECT_EQ(bench.store.set(numbered(count), MapType::Binary, big, kBert), MapStatus::Ok);
}

// The heap is tidied up many times on the way; what readers find must be what a plain map holds.
TEST(MapLimits, AnyHistoryOfChangesLeavesWhatAPlainMapWouldHold) {
  Bench bench;
  std::map<std::string, std::vector<std::byte>> model;
  std::mt19937 random(20);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = numbered(below(150));
    if (below(4) == 0) {
      const bool was_there = model.erase(key) == 1;
      EXPECT_EQ(bench.store.remove(key, kAdmin), was_there ? MapStatus::Ok : MapStatus::NotFound);
      continue;
    }
    std::vector<std::byte> value(below(8) == 0 ? below(16384) : below(64));
    for (std::byte& b : value) b = static_cast<std::byte>(random());
    ASSERT_EQ(bench.store.set(key, MapType::Binary, value, kAdmin), MapStatus::Ok);
    model[key] = value;
  }

  EXPECT_GE(bench.store.tidied(), 3u);
  ASSERT_EQ(bench.keys().size(), model.size());
  for (const auto& [key, value] : model) EXPECT_EQ(bench.value(key), value) << key;
}

}  // namespace
}  // namespace phalanx::map
