#include "controlplane/cli/line_splitter.h"

#include <gtest/gtest.h>

namespace phalanx::cli {
namespace {

/// The lines that come out when `parts` go in, and the end of the stream after them.
std::vector<std::string> split(LineSplitter& splitter, const std::vector<std::string>& parts) {
  std::vector<std::string> lines;
  const auto send = [&](std::string_view line) {
    lines.emplace_back(line);
    return PHX_OK;
  };
  for (const std::string& part : parts) EXPECT_EQ(splitter.add(part, send), PHX_OK);
  EXPECT_EQ(splitter.finish(send), PHX_OK);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LineSplitter, JoinsWhatWasReadInParts) {
  LineSplitter splitter(100);
  EXPECT_EQ(split(splitter, {"al", "pha\nbe", "ta\n"}), (Lines{"alpha", "beta"}));
}

TEST(LineSplitter, TakesALastLineWithoutAnEnd) {
  LineSplitter splitter(100);
  EXPECT_EQ(split(splitter, {"a\nb"}), (Lines{"a", "b"}));
}

TEST(LineSplitter, KeepsEmptyLines) {
  LineSplitter splitter(100);
  EXPECT_EQ(split(splitter, {"\n\na\n"}), (Lines{"", "", "a"}));
}

TEST(LineSplitter, SkipsAndCountsWhatIsTooLong) {
  LineSplitter splitter(4);
  EXPECT_EQ(split(splitter, {"1234\n12345\n", "12", "345", "6\nab\n", "too long"}),
            (Lines{"1234", "ab"}));
  EXPECT_EQ(splitter.skipped(), 3U);
  EXPECT_EQ(splitter.skipped_lines(), (std::vector<std::uint64_t>{2, 3, 5}));
}

TEST(LineSplitter, StopsAtTheFirstErrorOfTheSender) {
  LineSplitter splitter(100);
  int calls = 0;
  const auto status = splitter.add(
      "a\nb\nc\n", [&](std::string_view) { return ++calls == 2 ? PHX_EVICTED : PHX_OK; });
  EXPECT_EQ(status, PHX_EVICTED);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace phalanx::cli
