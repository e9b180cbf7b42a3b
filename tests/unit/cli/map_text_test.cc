#include "controlplane/cli/map_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace phalanx::cli {
namespace {

TEST(MapText, WhatWasTypedComesBack) {
  const struct {
    const char* type;
    const char* text;
    std::size_t bytes;
  } cases[] = {{"i8", "-128", 1},
               {"u8", "255", 1},
               {"i16", "-32768", 2},
               {"u16", "65535", 2},
               {"i32", "-5", 4},
               {"u32", "4294967295", 4},
               {"i64", "-1", 8},
               {"u64", "18446744073709551615", 8},
               {"float", "1.5", 4},
               {"double", "-2.25", 8},
               {"string", "two words", 10},
               {"string", "", 1},
               {"binary", "00ff7e", 3},
               {"binary", "", 0}};
  for (const auto& c : cases) {
    const auto value = parse_map_value(*type_of(c.type), c.text);
    ASSERT_TRUE(value) << c.type << " " << c.text;
    EXPECT_EQ(value->bytes.size(), c.bytes) << c.type << " " << c.text;
    EXPECT_EQ(text_of(*value), c.text);
    EXPECT_EQ(json_of(*value)["type"], c.type);
  }
}

TEST(MapText, RefusesWhatIsNoValueOfTheType) {
  for (const auto& [type, text] :
       std::initializer_list<std::pair<const char*, const char*>>{{"i8", "128"},
                                                                  {"u8", "-1"},
                                                                  {"u16", "65536"},
                                                                  {"i32", "1.5"},
                                                                  {"u64", ""},
                                                                  {"i64", "7 "},
                                                                  {"float", "one"},
                                                                  {"double", ""},
                                                                  {"binary", "0"},
                                                                  {"binary", "zz"}}) {
    const auto value = parse_map_value(*type_of(type), text);
    ASSERT_FALSE(value) << type << " " << text;
    EXPECT_EQ(value.error().code, ExitCode::Usage);
    EXPECT_NE(value.error().attempted.find(type), std::string::npos);
    EXPECT_FALSE(value.error().remedy.empty());
  }
  EXPECT_FALSE(type_of("u128"));
}

TEST(MapText, ShowsNumbersAsNumbersAndTextOnOneLine) {
  const auto text = parse_map_value(PHX_MAP_STRING, "a\nb");
  EXPECT_EQ(text_of(*text), "a\\nb");
  EXPECT_EQ(json_of(*text)["value"], "a\nb");
  EXPECT_EQ(json_of(*parse_map_value(PHX_MAP_U32, "7"))["value"], 7);
}

}  // namespace
}  // namespace phalanx::cli
