#include "controlplane/map/store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/map/bench.h"

namespace phalanx::map {
namespace {

using Keys = std::vector<std::string>;

TEST(MapStore, ReadersFindWhatWasSet) {
  Bench bench;

  EXPECT_EQ(bench.set_u64("app.count", 7), MapStatus::Ok);
  EXPECT_EQ(bench.set_text("app.name", "x"), MapStatus::Ok);

  EXPECT_EQ(bench.value("app.count"), bytes_of(std::uint64_t{7}));
  EXPECT_EQ(bench.value("app.name"), text_bytes("x"));
  EXPECT_FALSE(bench.value("app.coun").has_value());
  EXPECT_FALSE(bench.value("app.countx").has_value());
}

TEST(MapStore, TellsTypeOwnerAndSizeEvenWhenTheBufferIsTooSmall) {
  Bench bench;
  ASSERT_EQ(bench.set_text("app.name", "some text", kAnna), MapStatus::Ok);

  shm::MapReader::Found found{};
  std::array<std::byte, 4> small{};
  ASSERT_EQ(bench.store.reader().find("app.name", found, small), shm::MapReader::Result::Found);

  EXPECT_EQ(found.type, MapType::String);
  EXPECT_EQ(found.value_bytes, 10u);
  EXPECT_EQ(found.owner, kAnna.uid);
  EXPECT_FALSE(found.read_only);
  EXPECT_EQ(small[3], std::byte{'e'});
}

TEST(MapStore, KeysComeInTheOrderOfTheirBytesWhateverTheyWereSetIn) {
  Bench bench;
  for (const char* key : {"b.2", "a.10", "b.10", "a.2", "b", "bcc", "B.1", "b.2.x"}) {
    (void)bench.set_u64(key, 1);
  }

  EXPECT_EQ(bench.keys(), (Keys{"B.1", "a.10", "a.2", "b.10", "b.2", "b.2.x", "bcc"}));
  EXPECT_EQ(bench.keys("b."), (Keys{"b.10", "b.2", "b.2.x"}));
  EXPECT_EQ(bench.keys("b.2"), (Keys{"b.2", "b.2.x"}));
  EXPECT_EQ(bench.keys("c"), Keys{});
}

TEST(MapStore, IteratingGoesOnBehindAKeyThatIsGone) {
  Bench bench;
  for (const char* key : {"a.1", "a.2", "a.3"}) (void)bench.set_u64(key, 1);
  ASSERT_EQ(bench.store.remove("a.2", kAdmin), MapStatus::Ok);

  shm::MapReader::Found found{};
  ASSERT_EQ(bench.store.reader().next("a.", "a.2", found, {}), shm::MapReader::Result::Found);

  EXPECT_STREQ(found.key, "a.3");
}

TEST(MapStore, AKeyMayChangeItsTypeAndGrow) {
  Bench bench;
  ASSERT_EQ(bench.set_u64("app.x", 1), MapStatus::Ok);
  const std::string text(5000, 't');

  EXPECT_EQ(bench.set_text("app.x", text), MapStatus::Ok);
  EXPECT_EQ(bench.value("app.x"), text_bytes(text));
  EXPECT_EQ(bench.set_u64("app.x", 2), MapStatus::Ok);
  EXPECT_EQ(bench.value("app.x"), bytes_of(std::uint64_t{2}));
  EXPECT_EQ(bench.store.keys(), 1u);
}

TEST(MapStore, IncrementsOnlyIntegersAndNeverWraps) {
  Bench bench;
  ASSERT_EQ(bench.store.set("app.small", MapType::U8, bytes_of(std::uint8_t{254}), kAdmin),
            MapStatus::Ok);
  ASSERT_EQ(bench.store.set("app.real", MapType::Double, bytes_of(1.0), kAdmin), MapStatus::Ok);

  EXPECT_EQ(bench.store.add("app.small", 1, kAdmin), MapStatus::Ok);
  EXPECT_EQ(bench.store.add("app.small", 1, kAdmin), MapStatus::Overflow);
  EXPECT_EQ(bench.value("app.small"), bytes_of(std::uint8_t{255}));
  EXPECT_EQ(bench.store.add("app.real", 1, kAdmin), MapStatus::WrongType);
  EXPECT_EQ(bench.store.add("app.none", 1, kAdmin), MapStatus::NotFound);
}

TEST(MapStore, TheDaemonsKeysAreReadOnlyForEverybody) {
  Bench bench;
  ASSERT_EQ(bench.store.publish("node.id", MapType::U32, bytes_of(std::uint32_t{3})),
            MapStatus::Ok);

  EXPECT_EQ(bench.set_u64("node.id", 4), MapStatus::ReadOnly);
  EXPECT_EQ(bench.store.remove("node.id", kAdmin), MapStatus::ReadOnly);
  EXPECT_EQ(bench.store.add("node.id", 1, kAdmin), MapStatus::ReadOnly);
  EXPECT_EQ(bench.value("node.id"), bytes_of(std::uint32_t{3}));
}

TEST(MapStore, NobodyMakesKeysBelowAReservedPrefix) {
  Bench bench;
  bench.store.reserve("node.");

  EXPECT_EQ(bench.set_u64("node.other", 1), MapStatus::ReadOnly);
  EXPECT_EQ(bench.set_u64("nodes.other", 1), MapStatus::Ok);
  EXPECT_EQ(bench.store.publish("node.other", MapType::U8, bytes_of(std::uint8_t{1})),
            MapStatus::Ok);
}

TEST(MapStore, AKeyBelongsToWhoMadeItAndToAdministrators) {
  Bench bench;
  ASSERT_EQ(bench.set_u64("app.anna", 1, kAnna), MapStatus::Ok);

  EXPECT_EQ(bench.set_u64("app.anna", 2, kBert), MapStatus::Access);
  EXPECT_EQ(bench.store.remove("app.anna", kBert), MapStatus::Access);
  EXPECT_EQ(bench.store.add("app.anna", 1, kBert), MapStatus::Access);
  EXPECT_EQ(bench.store.add("app.anna", 1, kAnna), MapStatus::Ok);
  EXPECT_EQ(bench.set_u64("app.anna", 3, kAdmin), MapStatus::Ok);
  // It is still hers.
  EXPECT_EQ(bench.set_u64("app.anna", 4, kAnna), MapStatus::Ok);
}

TEST(MapStore, EveryWrongNameAndValueHasItsOwnAnswer) {
  Bench bench;

  EXPECT_EQ(bench.set_u64("a", 1), MapStatus::BadName);
  EXPECT_EQ(bench.set_u64("a b", 1), MapStatus::BadName);
  EXPECT_EQ(bench.set_u64(std::string(300, 'a'), 1), MapStatus::NameTooLong);
  EXPECT_EQ(bench.store.set("a.b", MapType::U64, bytes_of(1), kAdmin), MapStatus::WrongSize);
  EXPECT_EQ(bench.store.set("a.b", MapType{99}, bytes_of(1), kAdmin), MapStatus::WrongType);
  EXPECT_EQ(bench.store.remove("a.b", kAdmin), MapStatus::NotFound);
  EXPECT_EQ(bench.store.changes(), 0u);
}

}  // namespace
}  // namespace phalanx::map
