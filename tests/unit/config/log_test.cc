#include <gtest/gtest.h>

#include "config/diff.h"
#include "config/log_rules.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

TEST(LogRules, TakeALevelATargetOrBoth) {
  const auto rules = parse_log_rules("membership=debug quorum=warn:syslog+file  map=:none");

  ASSERT_TRUE(rules);
  ASSERT_EQ(rules->size(), 3u);
  EXPECT_EQ((*rules)[0], (LogRule{.subsystem = "membership", .level = LogLevel::Debug}));
  EXPECT_EQ((*rules)[1].level, LogLevel::Warn);
  EXPECT_EQ((*rules)[1].targets->bits, LogTargets::kSyslog | LogTargets::kFile);
  EXPECT_FALSE((*rules)[2].level);
  EXPECT_EQ((*rules)[2].targets->bits, 0);
}

TEST(LogRules, SayWhatIsWrongWithThem) {
  for (const auto& [text, says] : {std::pair{"membership", "is not SUBSYSTEM=LEVEL"},
                                   {"totem=debug", "unknown subsystem \"totem\""},
                                   {"map=loud", "unknown level \"loud\""},
                                   {"map=warn:disk", "unknown target \"disk\""},
                                   {"map=:none+file", "none beside other targets"},
                                   {"map=", "says nothing"},
                                   {"map=:", "names no target"},
                                   {"map=warn map=info", "twice"}}) {
    const auto rules = parse_log_rules(text);
    ASSERT_FALSE(rules) << text;
    EXPECT_NE(rules.error().find(says), std::string::npos) << rules.error();
  }
}

TEST(LogRules, AreReadBackAsTheyAreWritten) {
  for (const char* text : {"stderr", "stderr syslog file", "none", "syslog"}) {
    EXPECT_EQ(to_string(parse_log_targets(text).value()), text);
  }
}

TEST(LogSection, WantsAFileWhereTheTargetIsOne) {
  EXPECT_NE(errors_of("[log]\ntargets = \"file\"\n").find("log.file is empty"), std::string::npos);
  EXPECT_NE(errors_of("[log]\nsubsystems = \"map=:file\"\n").find("log.file is empty"),
            std::string::npos);
  EXPECT_NE(errors_of("[log]\ntargets = \"printer\"\n").find("unknown target"), std::string::npos);
  EXPECT_EQ(errors_of("[log]\ntargets = \"file\"\nfile = \"/var/log/phalanx.log\"\n"), "");
}

TEST(Diff, TellsWhatAReloadChangesFromWhatNeedsARestart) {
  const Config running = parse_with("").value();
  const Config wanted =
      parse_with("[log]\nlevel = \"debug\"\n[client]\nuids = [7]\n[lane]\nlog = \"32MiB\"\n")
          .value();

  const Changes changes = diff(running, wanted);

  EXPECT_EQ(changes.live, (std::vector<std::string>{"client.uids", "log.level"}));
  EXPECT_EQ(changes.restart, std::vector<std::string>{"lane.log"});
  EXPECT_TRUE(diff(running, running).none());
}

TEST(Diff, TakesOverWhatIsLiveAndNothingElse) {
  Config running = parse_with("").value();
  const Config wanted = parse_with("[log]\nlevel = \"debug\"\n[lane]\nlog = \"32MiB\"\n").value();

  take_live(running, wanted);

  EXPECT_EQ(running.log_level, LogLevel::Debug);
  EXPECT_EQ(diff(running, wanted).restart, std::vector<std::string>{"lane.log"});
  EXPECT_TRUE(diff(running, wanted).live.empty());
}

}  // namespace
}  // namespace phalanx::config
