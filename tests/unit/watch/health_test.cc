#include "controlplane/watch/health.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace phalanx::watch {
namespace {

using nlohmann::json;
using Names = std::vector<std::string_view>;

json well() {
  return json::parse(R"({
    "state": "operational", "view": {"sequence": 7, "members": [{"node": 1}, {"node": 2}]},
    "configured": 2, "limits": {"dead_after_ms": 50.0, "stall_after_ms": 500.0},
    "quorum": {"quorate": true, "reason": "majority", "device": {"address": "a", "answers": true}},
    "dataplane": {"running": true, "pid": 4, "age_ms": 3.0, "recent_gap_ms": 12.0,
                  "evicted_ms": null},
    "link": {"interface": "eth0", "up": true},
    "transport": {"driver": "udp", "ports": 1, "ports_up": 1},
    "lanes": [{"lane": 0, "divergences": 0, "poisoned": false}],
    "peers": [{"node": 2, "name": "n2", "in_view": true, "link_up": true,
               "config_mismatch": false}]})");
}

Names names_of(const json& status) {
  Names names;
  for (const Condition& one : conditions(status)) names.push_back(one.name);
  return names;
}

TEST(Health, NothingIsWrongWithANodeThatIsWell) {
  EXPECT_EQ(names_of(well()), Names{});
  EXPECT_TRUE(is_ready(well()));
}

TEST(Health, EachFaultHasItsName) {
  const std::vector<std::pair<json, std::string_view>> faults = {
      {{{"dataplane", {{"running", false}}}}, "dataplane_down"},
      {{{"dataplane", {{"age_ms", 700.0}}}}, "worker_stalled"},
      {{{"dataplane", {{"recent_gap_ms", 501.0}}}}, "worker_stalled"},
      {{{"dataplane", {{"evicted_ms", 59'000.0}}}}, "clients_evicted"},
      {{{"quorum", {{"quorate", false}}}}, "no_quorum"},
      {{{"quorum", {{"device", {{"answers", false}}}}}}, "device_silent"},
      {{{"link", {{"up", false}}}}, "link_down"},
      {{{"transport", {{"ports_up", 0}}}}, "port_down"},
      {{{"transport",
         {{"links", {{{"link", 0}, {"heard", true}}, {{"link", 1}, {"heard", false}}}}}}},
       "link_silent"},
      {{{"state", "gather"}}, "view_change"},
      {{{"lanes", {{{"lane", 0}, {"divergences", 1}}}}}, "order_divergence"},
      {{{"lanes", {{{"lane", 0}, {"poisoned", true}}}}}, "order_divergence"},
      {{{"peers", {{{"name", "n2"}, {"in_view", false}}}}}, "node_missing"},
      {{{"peers", {{{"name", "n2"}, {"in_view", true}, {"link_up", false}}}}}, "peer_link_down"},
  };
  std::set<std::string_view> told;
  for (const auto& [change, name] : faults) {
    json status = well();
    status.merge_patch(change);
    EXPECT_EQ(names_of(status), Names{name}) << change;
    EXPECT_FALSE(conditions(status)[0].what.empty());
    EXPECT_FALSE(conditions(status)[0].next.empty()) << name;
    told.insert(name);
  }
  EXPECT_EQ(told.size(), condition_names().size());
}

TEST(Health, WhatIsLongPastIsForgotten) {
  json status = well();
  status["dataplane"]["evicted_ms"] = 61'000.0;

  EXPECT_EQ(names_of(status), Names{});
}

TEST(Health, TheWorstComesFirst) {
  json status = well();
  status["dataplane"]["evicted_ms"] = 5.0;
  status["peers"][0]["in_view"] = false;
  status["quorum"]["quorate"] = false;

  EXPECT_EQ(names_of(status), (Names{"no_quorum", "node_missing", "clients_evicted"}));
}

TEST(Health, ReadyIsAMemberOfAQuorateView) {
  for (const json& change :
       {json{{"state", "prepare"}}, json{{"view", nullptr}}, json{{"quorum", {{"quorate", false}}}},
        json{{"dataplane", {{"running", false}}}}}) {
    json status = well();
    status.merge_patch(change);
    EXPECT_FALSE(is_ready(status)) << change;
  }
  json status = well();
  status["peers"][0]["in_view"] = false;  // A node less, and quorate all the same.
  EXPECT_TRUE(is_ready(status));
}

// Another version of the daemon may say less, or other things: nothing throws.
TEST(Health, OddAnswersAreReadWithCare) {
  for (const char* text : {"{}", "[]", "null", R"({"peers": 3, "lanes": "x", "dataplane": []})",
                           R"({"dataplane": {"running": true, "age_ms": "soon"}, "peers": [1]})"}) {
    const json status = json::parse(text);
    EXPECT_FALSE(conditions(status).empty()) << text;
    EXPECT_FALSE(is_ready(status)) << text;
  }
}

}  // namespace
}  // namespace phalanx::watch
