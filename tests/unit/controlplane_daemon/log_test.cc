#include "controlplane/daemon/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace phalanx::controlplane {
namespace {

/// What one line about this value looks like on standard error, without time and level.
std::string line_about(const std::string& value) {
  testing::internal::CaptureStderr();
  log("test").warn("event value=\"{}\"", value);
  const std::string said = testing::internal::GetCapturedStderr();
  const std::size_t at = said.find("test: ");
  return at == std::string::npos ? std::string() : said.substr(at + 6);
}

TEST(Log, ReadsNoFormatsInWhatItTells) {
  for (const char* hostile : {"%n%n%s%s%p", "{}{0}{:>9999}", "%v%*%^%$", "%", "{", "100%-5l"})
    EXPECT_EQ(line_about(hostile), "event value=\"" + std::string(hostile) + "\"\n");
}

// A line that another seems to begin in would let its author write the log's other lines.
TEST(Log, StaysOneLineWhateverIsInIt) {
  EXPECT_EQ(line_about("a\n2026-01-01 info  membership: view installed"),
            "event value=\"a\\x0a2026-01-01 info  membership: view installed\"\n");
  EXPECT_EQ(line_about(std::string("\0\x1b[2J\r\x7f", 7)),
            "event value=\"\\x00\\x1b[2J\\x0d\\x7f\"\n");
}

// CVE-2023-39976 of this family: a line longer than its buffer.
TEST(Log, TellsLinesOfAnyLengthWhole) {
  for (const std::size_t length :
       {249, 250, 251, 255, 256, 4095, 4096, 4097, 65535, 65536, 1 << 20})
    EXPECT_EQ(line_about(std::string(length, 'x')).size(), length + 15) << length;
}

TEST(Log, SurvivesRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string value(random() % 600, '\0');
    for (char& c : value) c = static_cast<char>(random());

    const std::string line = line_about(value);

    ASSERT_FALSE(line.empty());
    EXPECT_EQ(std::ranges::count(line, '\n'), 1);
    EXPECT_EQ(line.back(), '\n');
  }
}

}  // namespace
}  // namespace phalanx::controlplane
