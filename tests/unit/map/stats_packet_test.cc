#include <gtest/gtest.h>

#include "tests/unit/map/packets.h"

namespace phalanx::map {
namespace {

using shm::MapRequestKind;

struct Item {
  std::string key;
  std::vector<std::byte> value;
};

std::vector<Item> items_of(const std::vector<std::byte>& reply) {
  std::vector<Item> items;
  for (std::size_t at = sizeof(shm::MapReply); at < reply.size();) {
    shm::MapItem item;
    std::memcpy(&item, reply.data() + at, sizeof item);
    at += sizeof item;
    Item& out = items.emplace_back();
    out.key.assign(reinterpret_cast<const char*>(reply.data() + at), item.key_bytes);
    at += item.key_bytes;
    out.value.assign(reply.begin() + static_cast<std::ptrdiff_t>(at),
                     reply.begin() + static_cast<std::ptrdiff_t>(at + item.value_bytes));
    at += item.value_bytes;
  }
  return items;
}

struct StatisticsTest : testing::Test {
  Bench bench;
  Service service{bench.store};
  Statistics statistics;
  std::vector<std::byte> reply;

  void SetUp() override {
    service.join(1, kAnna);
    ASSERT_EQ(service.on_packet(1, packet({}), reply), Service::Next::ReplyWithMemory);
  }
};

TEST_F(StatisticsTest, AreComputedWhenAsked) {
  const auto asked = packet({.kind = MapRequestKind::StatsGet}, "stats.a");
  ASSERT_EQ(service.on_packet(1, asked, reply), Service::Next::NeedStatistics);
  statistics["stats.a"] = {MapType::U64, bytes_of(7ull)};

  const auto answer = service.answer(asked, statistics);

  EXPECT_EQ(head_of(answer).status, MapStatus::Ok);
  EXPECT_EQ(head_of(answer).type, 8u);
  EXPECT_EQ(std::vector(answer.begin() + sizeof(shm::MapReply), answer.end()), bytes_of(7ull));
  EXPECT_EQ(
      head_of(service.answer(packet({.kind = MapRequestKind::StatsGet}, "stats.b"), statistics))
          .status,
      MapStatus::NotFound);
}

TEST_F(StatisticsTest, ComeInOrderInPacketsThatGoOnWhereTheLastOneEnded) {
  for (int i = 0; i < 100; ++i) {
    statistics["stats.k" + std::to_string(100 + i)] = {MapType::Binary,
                                                       std::vector<std::byte>(2000)};
  }
  statistics["other.k"] = {MapType::U64, bytes_of(7ull)};

  std::vector<std::string> keys;
  std::string after;
  for (;;) {
    const auto answer = service.answer(packet({.kind = MapRequestKind::StatsNext}, "stats.",
                                              std::as_bytes(std::span(after.data(), after.size()))),
                                       statistics);
    ASSERT_LE(answer.size(), shm::kMapPacketBytesMax);
    const auto items = items_of(answer);
    if (items.empty()) break;
    for (const Item& item : items) keys.push_back(item.key);
    after = keys.back();
  }

  ASSERT_EQ(keys.size(), 100u);
  EXPECT_EQ(keys.front(), "stats.k100");
  EXPECT_EQ(keys.back(), "stats.k199");
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

}  // namespace
}  // namespace phalanx::map
