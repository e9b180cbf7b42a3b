#include <gtest/gtest.h>

#include "config/explain.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

constexpr const char* kSecond = "[transport]\nsecond.kind = \"udp\"\n";

/// Three nodes; `n1`, `n2`: lines for the entries of the first two.
std::string file(const std::string& tables, const std::string& n1, const std::string& n2) {
  return "[node]\nid = 1\n" + tables + "[[cluster.nodes]]\nid = 1\naddress = \"10.0.0.1:5405\"\n" +
         n1 + "[[cluster.nodes]]\nid = 2\naddress = \"10.0.0.2:5405\"\n" + n2;
}

std::string said(const std::string& text) {
  return errors_of(parse(text, "s.toml", {.instance = "", .check_key_file = false}));
}

const std::string kFirstAddress = "second = \"10.2.0.1:5405\"\n";
const std::string kSecondAddress = "second = \"10.2.0.2:5405\"\n";

TEST(SecondNetwork, HasAnAddressOfEachNode) {
  const std::string text = file(kSecond, kFirstAddress, kSecondAddress);
  const auto config = parse(text, "s.toml", {.instance = "", .check_key_file = false});
  ASSERT_TRUE(config) << errors_of(config);
  EXPECT_TRUE(config->transport.second.enabled);
  EXPECT_FALSE(config->transport.second.both);
  EXPECT_EQ(to_string(config->node.second.value()), "10.2.0.1:5405");

  const auto again = parse(show(*config), "s.toml", {.instance = "", .check_key_file = false});
  ASSERT_TRUE(again) << errors_of(again);
  EXPECT_EQ(again->cluster.nodes, config->cluster.nodes);
  EXPECT_EQ(cluster_hash(*again), cluster_hash(*config));
}

TEST(SecondNetwork, IsRefusedWithoutAnAddressOfEachNode) {
  const std::string text = said(file(kSecond, kFirstAddress, ""));
  EXPECT_NE(text.find("this node has no `second` address"), std::string::npos) << text;
  EXPECT_NE(text.find("add a line second = "), std::string::npos) << text;
}

TEST(SecondNetwork, IsRefusedWhereAnAddressCannotBe) {
  EXPECT_NE(
      said(file(kSecond, "second = \"0.0.0.0:5405\"\n", kSecondAddress)).find("no host's address"),
      std::string::npos);
  EXPECT_NE(
      said(file(kSecond, kFirstAddress, "second = \"[fd02::2]:5405\"\n")).find("another family"),
      std::string::npos);
  EXPECT_NE(said(file(kSecond, kFirstAddress, "second = \"10.0.0.1:5405\"\n"))
                .find("two nodes have the address 10.0.0.1:5405"),
            std::string::npos);
  EXPECT_NE(said(file(std::string(kSecond) + "second.multicast = \"[ff05::1]:5405\"\n",
                      kFirstAddress, kSecondAddress))
                .find("transport.second.multicast is of another family"),
            std::string::npos);
}

TEST(SecondNetwork, WhatBelongsToItMeansNothingWithoutIt) {
  for (const std::string& idle : {file("", kFirstAddress, kSecondAddress),
                                  file("[transport]\nsecond.use = \"both\"\n", "", "")}) {
    const std::string text = said(idle);
    EXPECT_NE(text.find("there is no second network"), std::string::npos) << text;
  }
}

TEST(SecondNetwork, MayBeAPortOfItsOwn) {
  const auto with = [](const std::string& lines) {
    return "[transport]\nkind = \"dpdk\"\nport = \"0000:3b:00.0\"\nsecond.kind = \"dpdk\"\n" +
           lines;
  };
  const std::string good = with("second.port = \"0000:3b:00.1\"\nsecond.vlan = 9\n");
  const auto config = parse(file(good, kFirstAddress, kSecondAddress), "s.toml",
                            {.instance = "", .check_key_file = false});
  ASSERT_TRUE(config) << errors_of(config);
  EXPECT_EQ(config->transport.second.kind, TransportKind::Dpdk);
  EXPECT_EQ(config->transport.second.port, "0000:3b:00.1");
  EXPECT_EQ(config->transport.second.vlan, 9);
  const auto again = parse(show(*config), "s.toml", {.instance = "", .check_key_file = false});
  ASSERT_TRUE(again) << errors_of(again);
  EXPECT_EQ(again->transport.second.port, "0000:3b:00.1");

  const std::pair<std::string, const char*> bad[] = {
      {with(""), "there is no transport.second.port"},
      {with("second.port = \"memif\"\n"), "joins nodes of one host"},
      {with("second.port = \"0000:3b:00.0,rx_vec=1\"\n"), "is the device of transport.port"},
      {with("second.port = \"3b:00.0\"\n"), "is the device of transport.port"},
      {std::string(kSecond) + "second.port = \"0000:3b:00.1\"\n", "transport.second.port is set"},
      {std::string(kSecond) + "second.vlan = 9\n", "transport.second.vlan is set"}};
  for (const auto& [lines, words] : bad) {
    const std::string text = said(file(lines, kFirstAddress, kSecondAddress));
    EXPECT_NE(text.find(words), std::string::npos) << text;
  }
}

TEST(SecondNetwork, KeepsNodesApartThatDoNotAgreeOnIt) {
  const auto hash = [](const std::string& text) {
    return cluster_hash(parse(text, "s.toml", {.instance = "", .check_key_file = false}).value());
  };
  const std::uint64_t one = hash(file("", "", ""));
  const std::uint64_t two = hash(file(kSecond, kFirstAddress, kSecondAddress));
  EXPECT_NE(one, two);
  EXPECT_NE(two, hash(file(std::string(kSecond) + "second.use = \"both\"\n", kFirstAddress,
                           kSecondAddress)));
  EXPECT_NE(two, hash(file(kSecond, kFirstAddress, "second = \"10.2.0.9:5405\"\n")));
}

}  // namespace
}  // namespace phalanx::config
