#include "controlplane/cli/demo/order_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace phalanx::cli {
namespace {

std::uint64_t item(std::string_view text) {
  ItemHash hash(1);
  hash.add(text.data(), text.size());
  return hash.value();
}

OrderHash of(const std::vector<std::string>& items) {
  OrderHash hash;
  for (const std::string& text : items) hash.add(item(text));
  return hash;
}

TEST(ItemHash, DependsOnEveryByteAndOnTheLength) {
  std::set<std::uint64_t> seen;
  for (std::size_t length = 0; length <= 200; ++length) {
    std::string text(length, '\0');
    EXPECT_TRUE(seen.insert(item(text)).second) << length;
    for (std::size_t i = 0; i < length; ++i) {
      text[i] = 'x';
      EXPECT_TRUE(seen.insert(item(text)).second) << length << " byte " << i;
      text[i] = '\0';
    }
  }
}

TEST(ItemHash, DependsOnTheKindAndOnNumbers) {
  ItemHash a(1);
  ItemHash b(2);
  EXPECT_NE(a.value(), b.value());
  a.add(7);
  ItemHash c(1);
  c.add(8);
  EXPECT_NE(a.value(), c.value());
}

TEST(OrderHash, TellsASwapALossAndADuplicate) {
  const OrderHash hash = of({"a", "b", "c"});

  EXPECT_EQ(hash, of({"a", "b", "c"}));
  EXPECT_NE(hash, of({"a", "c", "b"}));
  EXPECT_NE(hash, of({"a", "c"}));
  EXPECT_NE(hash, of({"a", "b", "b", "c"}));
}

TEST(OrderHash, OfTheEndIsThatOfOneWhoSawTheEndOnly) {
  OrderHash early = of({"a", "b"});
  const OrderHash start = early;
  for (int i = 0; i < 1000; ++i) early.add(item("m" + std::to_string(i)));
  OrderHash late;
  for (int i = 0; i < 1000; ++i) late.add(item("m" + std::to_string(i)));

  EXPECT_EQ(early.since(start), late);
  EXPECT_EQ(early.since(early), OrderHash{});
}

TEST(OrderHash, OfTheEndTellsAMissingFirstMessage) {
  OrderHash early = of({"a"});
  const OrderHash start = early;
  early.add(item("b"));
  early.add(item("c"));

  EXPECT_NE(early.since(start), of({"c"}));
}

}  // namespace
}  // namespace phalanx::cli
