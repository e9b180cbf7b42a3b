#include <gtest/gtest.h>

#include "tests/unit/map/packets.h"

namespace phalanx::map {
namespace {

struct Item {
  std::string key;
  std::vector<std::byte> value;
};

std::vector<Item> items_of(const std::vector<std::byte>& reply) {
  std::vector<Item> items;
  for (std::size_t at = 0; at < reply.size();) {
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

constexpr std::size_t kMost = shm::kMapMessageBytesMax;

struct StatisticsTest : testing::Test {
  Bench bench;
  Service service{bench.store};
  Statistics statistics;
};

TEST_F(StatisticsTest, AreComputedWhenAsked) {
  service.join(1, kAnna);
  const auto asked = service.on_request(1, MapCall::StatsGet, packet({}, "stats.a"));
  ASSERT_EQ(asked.next, Service::Next::NeedStatistics);
  statistics["stats.a"] = {MapType::U64, bytes_of(7ull)};

  const auto answer = service.answer(asked.question, statistics, kMost);

  ASSERT_EQ(answer.status, MapStatus::Ok);
  shm::MapValueHead head;
  std::memcpy(&head, answer.bytes.data(), sizeof head);
  EXPECT_EQ(head.type, 8u);
  EXPECT_EQ(std::vector(answer.bytes.begin() + sizeof head, answer.bytes.end()), bytes_of(7ull));
  EXPECT_EQ(
      service.answer({.call = MapCall::StatsGet, .key = "stats.b", .after = {}}, statistics, kMost)
          .status,
      MapStatus::NotFound);
}

// How much a reply may have is the client's word.
TEST_F(StatisticsTest, FitIntoTheReply) {
  statistics["stats.a"] = {MapType::U64, bytes_of(7ull)};
  const auto status_in = [&](std::size_t most) {
    return service
        .answer({.call = MapCall::StatsGet, .key = "stats.a", .after = {}}, statistics, most)
        .status;
  };

  EXPECT_EQ(status_in(16), MapStatus::Ok);
  EXPECT_EQ(status_in(15), MapStatus::TooBig);
  EXPECT_EQ(status_in(0), MapStatus::TooBig);
  EXPECT_TRUE(
      service.answer({.call = MapCall::StatsNext, .key = "stats.", .after = {}}, statistics, 10)
          .bytes.empty());
}

TEST_F(StatisticsTest, ComeInOrderInRepliesThatGoOnWhereTheLastOneEnded) {
  for (int i = 0; i < 100; ++i) {
    statistics["stats.k" + std::to_string(100 + i)] = {MapType::Binary,
                                                       std::vector<std::byte>(2000)};
  }
  statistics["other.k"] = {MapType::U64, bytes_of(7ull)};

  std::vector<std::string> keys;
  std::string after;
  for (;;) {
    const auto answer = service.answer(
        {.call = MapCall::StatsNext, .key = "stats.", .after = after}, statistics, kMost);
    ASSERT_LE(answer.bytes.size(), kMost);
    const auto items = items_of(answer.bytes);
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
