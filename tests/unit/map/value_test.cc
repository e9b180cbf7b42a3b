#include "ipc/shm/map_value.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/map/bench.h"

namespace phalanx::shm {
namespace {

using map::bytes_of;
using map::text_bytes;

TEST(MapKey, HasThreeTo255OfTheKnownCharacters) {
  EXPECT_EQ(check_map_key("a.b"), MapStatus::Ok);
  EXPECT_EQ(check_map_key("Az09._-/:"), MapStatus::Ok);
  EXPECT_EQ(check_map_key(std::string(255, 'k')), MapStatus::Ok);

  EXPECT_EQ(check_map_key(""), MapStatus::BadName);
  EXPECT_EQ(check_map_key("ab"), MapStatus::BadName);
  EXPECT_EQ(check_map_key(std::string(256, 'k')), MapStatus::NameTooLong);
}

TEST(MapKey, HasNoOtherCharacter) {
  for (int c = 0; c < 256; ++c) {
    const std::string key = std::string("ab") + static_cast<char>(c);
    const bool good = std::string("._-/:").find(static_cast<char>(c)) != std::string::npos ||
                      (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    EXPECT_EQ(check_map_key(key), good ? MapStatus::Ok : MapStatus::BadName) << c;
  }
}

TEST(MapValue, OfANumberHasItsSizeExactly) {
  const std::array<std::pair<MapType, std::size_t>, 10> sizes{{{MapType::I8, 1},
                                                               {MapType::U8, 1},
                                                               {MapType::I16, 2},
                                                               {MapType::U16, 2},
                                                               {MapType::I32, 4},
                                                               {MapType::U32, 4},
                                                               {MapType::I64, 8},
                                                               {MapType::U64, 8},
                                                               {MapType::Float, 4},
                                                               {MapType::Double, 8}}};
  for (const auto& [type, size] : sizes) {
    EXPECT_EQ(check_map_value(type, std::vector<std::byte>(size)), MapStatus::Ok);
    EXPECT_EQ(check_map_value(type, std::vector<std::byte>(size + 1)), MapStatus::WrongSize);
    EXPECT_EQ(check_map_value(type, std::vector<std::byte>(size - 1)), MapStatus::WrongSize);
  }
}

TEST(MapValue, OfAStringEndsWithItsOnlyZero) {
  EXPECT_EQ(check_map_value(MapType::String, text_bytes("")), MapStatus::Ok);
  EXPECT_EQ(check_map_value(MapType::String, text_bytes("text")), MapStatus::Ok);

  EXPECT_EQ(check_map_value(MapType::String, {}), MapStatus::WrongSize);
  EXPECT_EQ(check_map_value(MapType::String, text_bytes(std::string("a\0b", 3))),
            MapStatus::WrongSize);
  EXPECT_EQ(check_map_value(MapType::String, std::vector<std::byte>(3, std::byte{'a'})),
            MapStatus::WrongSize);
}

TEST(MapValue, HasAtMost16KiBAndAKnownType) {
  EXPECT_EQ(check_map_value(MapType::Binary, std::vector<std::byte>(16384)), MapStatus::Ok);
  EXPECT_EQ(check_map_value(MapType::Binary, {}), MapStatus::Ok);

  EXPECT_EQ(check_map_value(MapType::Binary, std::vector<std::byte>(16385)), MapStatus::TooBig);
  EXPECT_EQ(check_map_value(MapType::None, {}), MapStatus::WrongType);
  EXPECT_EQ(check_map_value(MapType{13}, {}), MapStatus::WrongType);
}

template <class T>
void stops_at_its_ends(MapType type) {
  auto top = bytes_of(std::numeric_limits<T>::max());
  auto bottom = bytes_of(std::numeric_limits<T>::min());

  EXPECT_FALSE(add_to_map_integer(type, top, 1));
  EXPECT_FALSE(add_to_map_integer(type, bottom, -1));
  EXPECT_EQ(top, bytes_of(std::numeric_limits<T>::max()));
  EXPECT_TRUE(add_to_map_integer(type, top, -1));
  EXPECT_TRUE(add_to_map_integer(type, bottom, 1));
  EXPECT_EQ(top, bytes_of(static_cast<T>(std::numeric_limits<T>::max() - 1)));
  EXPECT_EQ(bottom, bytes_of(static_cast<T>(std::numeric_limits<T>::min() + 1)));
}

TEST(MapValue, AnIntegerIsNeverAddedOutOfItsRange) {
  stops_at_its_ends<std::int8_t>(MapType::I8);
  stops_at_its_ends<std::uint8_t>(MapType::U8);
  stops_at_its_ends<std::int16_t>(MapType::I16);
  stops_at_its_ends<std::uint16_t>(MapType::U16);
  stops_at_its_ends<std::int32_t>(MapType::I32);
  stops_at_its_ends<std::uint32_t>(MapType::U32);
  stops_at_its_ends<std::int64_t>(MapType::I64);
  stops_at_its_ends<std::uint64_t>(MapType::U64);
}

}  // namespace
}  // namespace phalanx::shm
