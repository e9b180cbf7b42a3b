#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/load.h"
#include "controlplane/cli/quorum_text.h"
#include "controlplane/cli/what_if.h"

namespace phalanx::cli {
namespace {

config::Config five_nodes(const std::string& quorum = "") {
  std::string text = "[quorum]\n" + quorum;
  for (int id = 1; id <= 5; ++id) {
    text += "[[cluster.nodes]]\nid = " + std::to_string(id) + "\naddress = \"10.0.0." +
            std::to_string(id) + ":5405\"\n";
  }
  return config::parse(text, "t", {.instance = "", .check_key_file = false, .any_node = true})
      .value();
}

TEST(WhatIf, NamedNodesAreDownOrTheOnlyOnesThatAreUp) {
  const config::Config config = five_nodes();

  EXPECT_EQ(parse_what_if("n1,n3-down", config)->up, (std::vector<NodeId>{2, 4, 5}));
  EXPECT_EQ(parse_what_if("n1,n3-down", config)->down, (std::vector<NodeId>{1, 3}));
  EXPECT_EQ(parse_what_if("n1,n3-up", config)->up, (std::vector<NodeId>{1, 3}));
  EXPECT_EQ(parse_what_if("n2", config)->up, (std::vector<NodeId>{2}));
}

TEST(WhatIf, AnUnknownNodeIsAUsageError) {
  for (const char* text : {"n9-down", "n1,,n2", "-down", "n1 n2"}) {
    const auto result = parse_what_if(text, five_nodes());
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ExitCode::Usage);
  }
}

TEST(WhatIf, AsksTheRulesOfTheConfiguration) {
  EXPECT_TRUE(outcome_of({2, 4, 5}, five_nodes()).quorate);
  EXPECT_FALSE(outcome_of({1, 3}, five_nodes()).quorate);
  EXPECT_TRUE(outcome_of({2, 4, 5}, five_nodes("wait_for_all = \"on\"\n")).quorate);
  EXPECT_TRUE(outcome_of({2, 4, 5}, five_nodes("last_man_standing = \"on\"\n")).quorate);
  EXPECT_FALSE(outcome_of({}, five_nodes()).quorate);
}

TEST(QuorumText, SaysWhyAndWithWhichVotes) {
  const auto quorum = nlohmann::json::parse(R"({
    "view_sequence": 7, "quorate": false, "reason": "too few votes", "policy": "majority",
    "total": 1, "needed": 2, "expected": 3, "highest_expected": 3, "flags": ["wait_for_all"],
    "votes": [{"node": 1, "name": "n1", "votes": 1, "in_view": true, "counted": true},
              {"node": 2, "name": "n2", "votes": 1, "in_view": false, "counted": false}]})");

  EXPECT_FALSE(is_quorate(quorum));
  EXPECT_EQ(quorum_text(quorum),
            "not quorate (too few votes), 1 of 3 votes, 2 needed\n"
            "view 7, policy majority, highest expected 3, wait_for_all\n"
            "\n"
            "node  id  votes  in view  counted\n"
            "n1     1      1  yes      yes\n"
            "n2     2      1  no       no\n");
}

TEST(QuorumText, TellsOfADevice) {
  auto quorum = nlohmann::json::parse(R"({"quorate": true, "reason": "majority", "total": 2,
    "needed": 2, "expected": 3, "highest_expected": 3, "view_sequence": 7, "policy": "majority",
    "device": {"address": "10.1.0.9:5407", "votes": 1, "answers": false, "counted": true}})");
  EXPECT_NE(
      quorum_text(quorum).find("\ndevice 10.1.0.9:5407, votes 1, no answer of late, counted in "
                               "this view\n"),
      std::string::npos);
  quorum["device"] = nullptr;
  EXPECT_EQ(quorum_text(quorum).find("device"), std::string::npos);
}

TEST(QuorumText, OfADaemonThatSaysNothingIsEmpty) {
  EXPECT_EQ(quorum_line(nlohmann::json()), "");
  EXPECT_TRUE(is_quorate(nlohmann::json()));
}

}  // namespace
}  // namespace phalanx::cli
