#include "controlplane/daemon/line_limit.h"

#include <gtest/gtest.h>

#include "controlplane/daemon/log_memory.h"

namespace phalanx::controlplane {
namespace {

TEST(LineLimit, ReasonsAreWhatIsSaidFirstAndWhy) {
  EXPECT_EQ(LineLimit::reason_of("datagram dropped node=3 reason=\"sealed wrongly\" count=9"),
            "datagram dropped \"sealed wrongly\"");
  EXPECT_EQ(LineLimit::reason_of("view installed view=7 left=[n3: obituary] joined=[]"),
            "view installed [n3: obituary] []");
  EXPECT_EQ(LineLimit::reason_of("nothing more to say"), "nothing more to say");
  EXPECT_EQ(LineLimit::reason_of("node=3 gone"), "");
  EXPECT_EQ(LineLimit::reason_of(""), "");
  EXPECT_EQ(LineLimit::reason_of("a reason=\"never closed"), "a \"never closed");
  EXPECT_LE(LineLimit::reason_of(std::string(100'000, '=')).size(), 160u);
}

TEST(LineLimit, PassesOneLineASecondAReasonAndCountsTheRest) {
  LineLimit limit;
  std::uint64_t muted = 0;
  std::size_t passed = 0;

  for (TimeNs now = kSecond; now < 11 * kSecond; now += kMillisecond) {
    const std::string line = "datagram dropped node=" + std::to_string(now) + " reason=forged";
    if (limit.pass("management", line, now, muted)) ++passed;
  }

  EXPECT_EQ(passed, 10u);
  EXPECT_EQ(muted, 999u);
  EXPECT_EQ(limit.muted(), 9990u);
}

TEST(LineLimit, KeepsReasonsAndSubsystemsApart) {
  LineLimit limit;
  std::uint64_t muted = 0;

  EXPECT_TRUE(limit.pass("map", "dropped reason=a", kSecond, muted));
  EXPECT_TRUE(limit.pass("map", "dropped reason=b", kSecond, muted));
  EXPECT_TRUE(limit.pass("quorum", "dropped reason=a", kSecond, muted));
  EXPECT_FALSE(limit.pass("map", "dropped reason=a", kSecond + 1, muted));
}

// Who can invent reasons without end gets a line a second for all that are too many.
TEST(LineLimit, IsBoundedInReasons) {
  LineLimit limit;
  std::uint64_t muted = 0;
  std::size_t passed = 0;

  for (int i = 0; i < 100'000; ++i) {
    if (limit.pass("map", "invented reason=" + std::to_string(i), kSecond, muted)) ++passed;
  }

  EXPECT_LE(passed, LineLimit::kReasonsMax + 1);
}

TEST(LogMemory, KeepsTheNewestWithinItsBounds) {
  LogMemory memory;

  for (int i = 0; i < 10'000; ++i) {
    memory.add(i % 2 == 0 ? "map" : "quorum", config::LogLevel::Info, std::to_string(i) + "\n");
  }

  EXPECT_EQ(memory.lines(), LogMemory::kLinesMax);
  EXPECT_EQ(memory.newest({.lines = 2}), (std::vector<std::string>{"9998", "9999"}));
  EXPECT_EQ(memory.newest({.subsystem = "map", .lines = 1}), std::vector<std::string>{"9998"});
  for (int i = 0; i < 1000; ++i) {
    memory.add("map", config::LogLevel::Warn, std::string(100'000, 'x'));
  }
  EXPECT_LE(memory.bytes(), LogMemory::kBytesMax);
  EXPECT_EQ(memory.newest({.lines = 1}).front().size(), LogMemory::kLineBytesMax);
  EXPECT_LE(memory.newest({.lines = 4096}).size() * LogMemory::kLineBytesMax, 128u * 1024);
}

TEST(LogMemory, LeavesOutWhatIsLessGrave) {
  LogMemory memory;
  memory.add("map", config::LogLevel::Debug, "small");
  memory.add("map", config::LogLevel::Error, "grave");

  EXPECT_EQ(memory.newest({.level = config::LogLevel::Warn}), std::vector<std::string>{"grave"});
}

}  // namespace
}  // namespace phalanx::controlplane
