#include <gtest/gtest.h>

#include "config/explain.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

/// Nodes n1 to `count`, the first with `first_votes`.
Expected<Config, ConfigErrors> parse_nodes(int count, std::string_view quorum,
                                           int first_votes = 1) {
  std::string text = "[node]\nid = 1\n[quorum]\n" + std::string(quorum);
  for (int id = 1; id <= count; ++id) {
    text += "[[cluster.nodes]]\nid = " + std::to_string(id) + "\naddress = \"10.0.0." +
            std::to_string(id) + ":5405\"\n";
    if (id == 1 && first_votes != 1) text += "votes = " + std::to_string(first_votes) + "\n";
  }
  return parse(text, "t.toml", {.instance = "", .check_key_file = false});
}

std::string errors_of_nodes(int count, std::string_view quorum, int first_votes = 1) {
  return errors_of(parse_nodes(count, quorum, first_votes));
}

TEST(Quorum, IsAMajorityOfOneVoteANodeUnlessSaidOtherwise) {
  const Config config = parse_nodes(3, "").value();

  EXPECT_TRUE(config.quorum.enabled);
  EXPECT_EQ(config.quorum.expected_votes, 0u);
  EXPECT_FALSE(config.quorum.waits_for_all());
  EXPECT_EQ(config.quorum.last_man_standing_window, 10 * kSecond);
  EXPECT_EQ(config.cluster.nodes[2].votes, 1u);
}

TEST(Quorum, VotesOfANodeAreRead) {
  const Config config = parse_nodes(3, "", 2).value();

  EXPECT_EQ(config.cluster.nodes[0].votes, 2u);
  EXPECT_NE(show(config).find("votes = 2\n"), std::string::npos);
  EXPECT_NE(errors_of_nodes(3, "", -1).find("votes = -1 is not a number of votes"),
            std::string::npos);
}

TEST(Quorum, VotesArePartOfTheClusterHash) {
  EXPECT_NE(cluster_hash(parse_nodes(3, "").value()), cluster_hash(parse_nodes(3, "", 2).value()));
  EXPECT_NE(cluster_hash(parse_nodes(3, "").value()),
            cluster_hash(parse_nodes(3, "wait_for_all = \"on\"\n").value()));
}

TEST(Quorum, WaitsForAllWhereTheOtherSettingsNeedIt) {
  EXPECT_TRUE(parse_nodes(2, "two_node = \"on\"\n").value().quorum.waits_for_all());
  EXPECT_TRUE(parse_nodes(4, "last_man_standing = \"on\"\n").value().quorum.waits_for_all());
}

TEST(Quorum, FewerExpectedVotesThanThereAreAreRefusedWithTheSplit) {
  EXPECT_EQ(errors_of_nodes(4, "expected_votes = 2\n"),
            "t.toml:4:18: error: quorum.expected_votes = 2 is lower than the sum of all votes, 4: "
            "{n1 n2} and {n3 n4}, cut off from each other, would both be quorate\n"
            "  allowed: 0 (the sum), or at least 4\n"
            "  remedy:  take it out, or raise it\n");
  EXPECT_EQ(errors_of_nodes(4, "expected_votes = 7\n"), "");
}

TEST(Quorum, TwoNodeIsRefusedWhereThereAreOthers) {
  EXPECT_NE(errors_of_nodes(3, "two_node = \"on\"\n")
                .find("{n1} and {n2 n3}, cut off from each other, would both be quorate"),
            std::string::npos);
  EXPECT_NE(errors_of_nodes(2, "two_node = \"on\"\n", 2), "");
}

TEST(Quorum, TwoNodeWithoutWaitForAllIsRefused) {
  EXPECT_NE(errors_of_nodes(2, "two_node = \"on\"\nwait_for_all = \"off\"\n")
                .find("{n1} and {n2}, cut off from each other, would both be quorate when they "
                      "start"),
            std::string::npos);
}

TEST(Quorum, TwoNodeWithATieBreakerIsRefused) {
  for (const std::string wait : {"auto", "off"}) {
    EXPECT_NE(errors_of_nodes(2,
                              "two_node = \"on\"\nauto_tie_breaker = \"lowest\"\n"
                              "wait_for_all = \"" +
                                  wait + "\"\n")
                  .find("exclude each other"),
              std::string::npos);
  }
}

TEST(Quorum, LastManStandingWithoutWaitForAllIsRefused) {
  EXPECT_NE(errors_of_nodes(5, "last_man_standing = \"on\"\nwait_for_all = \"off\"\n")
                .find("can split the cluster"),
            std::string::npos);
  EXPECT_NE(errors_of_nodes(5, "last_man_standing = \"on\"\nexpected_votes = 5\n"), "");
  EXPECT_NE(errors_of_nodes(2, "last_man_standing = \"on\"\ntwo_node = \"on\"\n"), "");
}

TEST(Quorum, AnEvenNumberOfNodesNeedsNoTieBreaker) {
  EXPECT_EQ(errors_of_nodes(4, ""), "");
  EXPECT_EQ(errors_of_nodes(4, "auto_tie_breaker = \"highest\"\n"), "");
}

TEST(Quorum, AListOfTieBreakersNamesConfiguredNodes) {
  EXPECT_EQ(errors_of_nodes(4, "auto_tie_breaker = \"list\"\ntie_breaker_nodes = [2, 3]\n"), "");
  EXPECT_NE(errors_of_nodes(4, "auto_tie_breaker = \"list\"\n"), "");
  EXPECT_NE(errors_of_nodes(4, "tie_breaker_nodes = [2]\n"), "");
  EXPECT_NE(errors_of_nodes(4, "auto_tie_breaker = \"list\"\ntie_breaker_nodes = [9]\n")
                .find("holds 9, which is not in cluster.nodes"),
            std::string::npos);
}

/// Nodes with management addresses.
std::string errors_of_device(int count, std::string_view device, std::string_view quorum = "",
                             NodeId first = 1) {
  std::string text = "[node]\nid = " + std::to_string(first) + "\n[quorum]\n" +
                     std::string(quorum) + "[quorum.device]\n" + std::string(device);
  for (int i = 0; i < count; ++i) {
    const std::string host = std::to_string(i + 1);
    text += "[[cluster.nodes]]\nid = " + std::to_string(i == 0 ? first : NodeId(i + 1)) +
            "\naddress = \"10.0.0." + host + ":5405\"\nmanagement = \"10.1.0." + host + ":5406\"\n";
  }
  return errors_of(parse(text, "t.toml", {.instance = "", .check_key_file = false}));
}

TEST(Quorum, ADeviceIsATableOfItsOwn) {
  EXPECT_EQ(errors_of_device(2, "address = \"10.1.0.9:5407\"\n"), "");
  const Config config =
      parse(
          "[node]\nid = 1\n[quorum]\ndevice.address = \"10.1.0.9:5407\"\ndevice.votes = 2\n"
          "[[cluster.nodes]]\nid = 1\naddress = \"10.0.0.1:5405\"\n"
          "management = \"10.1.0.1:5406\"\nvotes = 3\n",
          "t.toml", {.instance = "", .check_key_file = false})
          .value();
  ASSERT_TRUE(config.quorum.device);
  EXPECT_EQ(to_string(*config.quorum.device), "10.1.0.9:5407");
  EXPECT_EQ(config.quorum.device_votes, 2u);
  EXPECT_FALSE(parse_nodes(2, "").value().quorum.device);
}

TEST(Quorum, ADeviceThatCannotHelpOrCouldSplitIsRefused) {
  const std::string_view here = "address = \"10.1.0.9:5407\"\n";
  const auto says = [](const std::string& errors, std::string_view what) {
    return errors.find(what) != std::string::npos;
  };
  EXPECT_TRUE(says(errors_of_device(2, "address = \"10.1.0.9:5407\"\nvotes = 2\n"),
                   "without the device nobody would ever be quorate"));
  EXPECT_TRUE(says(errors_of_device(2, here, "two_node = \"on\"\n"), "exclude each other"));
  EXPECT_TRUE(
      says(errors_of_device(3, here, "last_man_standing = \"on\"\n"), "exclude each other"));
  EXPECT_TRUE(says(errors_of_device(3, here, "expected_votes = 3\n"), "lower than the sum"));
  EXPECT_TRUE(says(errors_of_device(3, "address = \"0.0.0.0:5407\"\n"), "no one host's"));
  EXPECT_TRUE(says(errors_of_device(3, here, "", 4294967295), "the device has this id"));
  EXPECT_TRUE(says(errors_of_device(3, "adress = \"10.1.0.9:5407\"\n"),
                   "did you mean quorum.device.address?"));
  EXPECT_TRUE(says(errors_of_nodes(2, "[quorum.device]\naddress = \"10.1.0.9:5407\"\n"),
                   "without a management address of n1"));
}

TEST(Quorum, SomebodyHasAVote) {
  EXPECT_NE(errors_of_nodes(1, "", 0).find("no node has a vote"), std::string::npos);
}

TEST(Quorum, IsExplained) {
  EXPECT_NE(explain("quorum.two_node").find("equal on all nodes"), std::string::npos);
  EXPECT_NE(explain("cluster.nodes").find("votes"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::config
