#include "controlplane/cli/output.h"

#include <gtest/gtest.h>

namespace phalanx::cli {
namespace {

TEST(Table, PutsNumbersToTheRightAndTextToTheLeft) {
  Table table({"node", "heard ms", "state"});
  table.row({"n1", "1.25", "member"});
  table.row({"n10", "130.00", "gone"});

  EXPECT_EQ(table.text(),
            "node  heard ms  state\n"
            "n1        1.25  member\n"
            "n10     130.00  gone\n");
}

TEST(Table, CountsCharactersAndNotBytes) {
  Table table({"name", "x"});
  table.row({"größe", "a"});
  table.row({"12345", "b"});

  EXPECT_EQ(table.text(), "name   x\ngröße  a\n12345  b\n");
}

TEST(Numbers, AreGroupedShortenedAndRounded) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "node"), "1 node");
  EXPECT_EQ(counted(2000, "node"), "2,000 nodes");
  EXPECT_EQ(short_number(3'210'000), "3.21 M");
  EXPECT_EQ(short_number(87'100), "87.1 k");
  EXPECT_EQ(short_number(12), "12");
  EXPECT_EQ(fixed(1.25, 1), "1.2");
}

TEST(Escaped, KeepsTextAndShowsControlBytes) {
  EXPECT_EQ(escaped("hello, größe"), "hello, größe");
  EXPECT_EQ(escaped("a\nb\r\t\\"), "a\\nb\\r\\t\\\\");
  EXPECT_EQ(escaped(std::string_view("\0\x7f\x1b[0m", 6)), "\\x00\\x7f\\x1b[0m");
}

// A terminal must not be steered by a message: C1 controls, overlong forms and lone bytes included.
TEST(Escaped, LetsNoBytesThroughThatAreNoCharacters) {
  EXPECT_EQ(escaped("\xff"), "\\xff");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(escaped("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(escaped("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(escaped("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
}

}  // namespace
}  // namespace phalanx::cli
