#include <gtest/gtest.h>

#include <set>
#include <string>

#include "controlplane/http/counter_metrics.h"
#include "controlplane/http/metrics.h"

namespace phalanx::http {
namespace {

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line) != std::string::npos;
}

TEST(Metrics, EveryCounterIsServedOnceUnderItsFamily) {
  std::set<shm::Counter> counters;
  std::set<std::string> series;
  std::set<std::string> left;
  std::string family;
  for (const CounterMetric& one : counter_metrics()) {
    EXPECT_TRUE(counters.insert(one.counter).second) << one.name;
    EXPECT_TRUE(series.insert(std::string(one.name) + (one.reason ? one.reason : "")).second);
    if (family != one.name) {
      EXPECT_TRUE(left.insert(family).second) << one.name << " is in two places";
      EXPECT_STRNE(one.help, "") << "the first of a family explains it: " << one.name;
      family = one.name;
    }
    EXPECT_TRUE(family.ends_with("_total")) << family;
  }
  EXPECT_EQ(counters.size(), shm::kCounters);
}

TEST(Metrics, ANodeThatDoesNotRunIsDownAndNoMore) {
  NodeNow node;
  node.error = "nobody listens";
  const std::string text = metrics_text(node);

  EXPECT_TRUE(has(text, "phx_up 0"));
  EXPECT_TRUE(has(text, "phx_ready 0"));
  EXPECT_TRUE(has(text, "phx_dataplane_up 0"));
  EXPECT_FALSE(has(text, "phx_worker_turns_total"));
}

TEST(Metrics, ManyGroupsWithOddNamesStayBounded) {
  NodeNow node;
  node.sample = std::make_unique<watch::Sample>();
  node.sample->taken_at = node.sample->status.written_at = kSecond;
  node.sample->status.groups = 300;
  node.sample->tables.groups = shm::kListedGroupsMax;
  for (std::uint32_t i = 0; i < shm::kListedGroupsMax; ++i) {
    shm::GroupStatus& group = node.sample->tables.group[i];
    group = {.id = i, .name_bytes = 6, .messages = i};
    group.name[0] = '"';
    group.name[1] = '\n';
    group.name[2] = static_cast<char>(0xff);
    group.name[3] = '\\';
    group.name[4] = '\0';
    group.name[5] = 'x';
  }
  const std::string text = metrics_text(node);

  std::size_t series = 0;
  for (std::size_t at = 0; (at = text.find("\nphx_group_members{", at)) != std::string::npos;
       ++at) {
    ++series;
  }
  EXPECT_EQ(series, kGroupSeriesMax);
  EXPECT_TRUE(has(text, "phx_groups_unlisted 236"));
  EXPECT_TRUE(has(text, R"(phx_group_messages_total{group="\"??\\?x",id="ff"} 255)")) << text;
  EXPECT_TRUE(has(text, "phx_dataplane_up 1"));
}

}  // namespace
}  // namespace phalanx::http
