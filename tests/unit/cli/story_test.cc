#include "controlplane/cli/recorder/story.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "controlplane/cli/recorder/sentence.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {
namespace {

using membership::LossRule;
using recorder::Kind;

constexpr std::uint64_t kStart = 1'700'000'000 * kSecond;

Noted noted(NodeId by, std::uint64_t ms, Kind kind, const recorder::Event& event = {}) {
  Noted out{.event = event,
            .wall_ns = kStart + ms * kMillisecond,
            .by = by,
            .writer = "",
            .nodes = {1, 2, 3}};
  out.event.kind = kind;
  return out;
}

/// n3 falls silent at 100 ms; n1 leads the view without it.
std::vector<Noted> silent_node() {
  const auto rule = static_cast<std::uint64_t>(LossRule::DeadAfter);
  const auto others = static_cast<std::uint64_t>(LossRule::Others);
  return {
      noted(1, 0, Kind::ViewInstalled, {.node = 1, .view = 5, .a = 7}),
      noted(2, 1, Kind::ViewInstalled, {.node = 1, .view = 5, .a = 7}),
      noted(2, 130, Kind::Suspected, {.node = 3, .view = 5, .a = 25 * kMillisecond}),
      noted(1, 150, Kind::Convicted,
            {.node = 3, .view = 5, .a = rule, .b = 50 * kMillisecond, .c = 1}),
      noted(1, 151, Kind::AttemptStarted, {.node = 1, .view = 6, .a = 3, .b = 4}),
      noted(2, 152, Kind::AttemptPromised, {.node = 1, .view = 6, .a = 3, .b = 4}),
      noted(2, 153, Kind::Left, {.node = 3, .view = 6, .a = others}),
      noted(1, 152, Kind::ViewInstalled,
            {.node = 1, .view = 6, .a = 3, .b = 4, .c = 2 * kMillisecond}),
      noted(1, 152, Kind::Left, {.node = 3, .view = 6, .a = rule}),
      noted(2, 153, Kind::ViewInstalled, {.node = 1, .view = 6, .a = 3, .b = 4}),
      noted(1, 900, Kind::ViewInstalled, {.node = 1, .view = 7, .a = 7}),
  };
}

TEST(Story, TellsTheViewThatTheNodeFellOutOf) {
  const Story story = story_of(silent_node(), 3);

  EXPECT_EQ(story.view, 6U);
  EXPECT_EQ(story.before, 5U);
  EXPECT_EQ(story.members, "n1 n2");
  EXPECT_EQ(story.installs.size(), 2U);
}

TEST(Story, NamesWhoWasFirstSilentAndSinceWhen) {
  const Story story = story_of(silent_node(), 3);

  EXPECT_EQ(story.silent, 3U);
  EXPECT_EQ(story.silent_since_ns, kStart + 100 * kMillisecond);
  EXPECT_EQ(story.silent_to, 1U);
}

TEST(Story, PrefersTheReasonOfWhoLostItToThatOfWhoWasTold) {
  const Story story = story_of(silent_node(), 3);

  ASSERT_EQ(story.left.size(), 1U);
  EXPECT_EQ(story.left[0].told_by, 1U);
  EXPECT_EQ(story.left[0].rule, reason_of(LossRule::DeadAfter));
}

TEST(Story, OfANodeThatStayedIsItsLastView) {
  EXPECT_EQ(story_of(silent_node(), 2).view, 7U);
  EXPECT_EQ(story_of(silent_node(), 0).view, 7U);
}

TEST(Story, IsInTheOrderOfTimeWhateverTheOrderItCameIn) {
  std::vector<Noted> events = silent_node();
  std::reverse(events.begin(), events.end());

  const Story story = story_of(events, 3);

  ASSERT_GE(story.lines.size(), 6U);
  EXPECT_NE(story.lines[0].text.find("in view 5"), 0U);
  const auto before = [](const Story::Line& x, const Story::Line& y) {
    return x.wall_ns < y.wall_ns;
  };
  EXPECT_TRUE(std::is_sorted(story.lines.begin(), story.lines.end(), before));
  const std::string text = text_of(story);
  const auto suspects = text.find("n2  suspects n3: silent for 25.0 ms");
  const auto gives_up = text.find("n1  gives n3 up: silent for dead_after");
  const auto starts = text.find("n1  starts attempt 6 of a view of n1 n2, without n3");
  ASSERT_NE(starts, std::string::npos) << text;
  EXPECT_LT(suspects, gives_up);
  EXPECT_LT(gives_up, starts);
}

TEST(Story, SaysWhenNothingIsOnRecord) {
  EXPECT_EQ(text_of(story_of({}, 3)), "no view change is on record\n");
}

TEST(NotedTimes, AreReadInAllTheWaysTheyMayBeWritten) {
  constexpr std::uint64_t kNow = 1'767'225'600 * kSecond;  // 2026-01-01T00:00:00Z.

  EXPECT_EQ(parse_time("90s", kNow), kNow - 90 * kSecond);
  EXPECT_EQ(parse_time("5m", kNow), kNow - 300 * kSecond);
  EXPECT_EQ(parse_time("10:00:00", kNow), kNow + 36000 * kSecond);
  EXPECT_EQ(parse_time("2026-01-01T00:00:01.5Z", kNow), kNow + 1500 * kMillisecond);
  for (const char* wrong :
       {"", "5", "x", "5d", "-5s", "10:00", "2026-13-01T00:00:00", "nan s", "10:00:00.1e300"}) {
    EXPECT_FALSE(parse_time(wrong, kNow)) << wrong;
  }
  EXPECT_EQ(time_text(kNow + 1500 * kMillisecond), "2026-01-01T00:00:01.500000Z");
}

TEST(NotedFilter, LetsThroughWhatIsAboutTheRangeAndTheNode) {
  const Noted progress = noted(1, 0, Kind::Progress, {.lane = 2, .a = 100, .b = 200});
  const Noted view = noted(2, 0, Kind::ViewInstalled, {.view = 4, .a = 0b101});

  EXPECT_TRUE((NotedFilter{.range = {{150, 160}}}.passes(progress)));
  EXPECT_FALSE((NotedFilter{.range = {{201, 300}}}.passes(progress)));
  EXPECT_FALSE((NotedFilter{.range = {{0, 1000}}}.passes(view)));
  EXPECT_TRUE((NotedFilter{.node = 3}.passes(view)));
  EXPECT_TRUE((NotedFilter{.node = 2}.passes(view)));
  EXPECT_FALSE((NotedFilter{.node = 2}.passes(progress)));
  EXPECT_TRUE((NotedFilter{.lane = LaneId{2}}.passes(progress)));
  EXPECT_FALSE((NotedFilter{.lane = LaneId{0}}.passes(view)));
}

}  // namespace
}  // namespace phalanx::cli
