#include <gtest/gtest.h>

#include "config/explain.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

std::string with(const std::string& worker, const std::string& lanes = "4") {
  return "[cluster]\nlanes = " + lanes + "\n[worker]\n" + worker;
}

void expect_said(const std::string& text, std::initializer_list<const char*> words) {
  const std::string said = errors_of(text);
  for (const char* word : words) EXPECT_NE(said.find(word), std::string::npos) << said;
}

TEST(Workers, OneTurnsAllLanesUnlessMoreAreAskedFor) {
  const Config config = parse_with(with("")).value();

  EXPECT_EQ(config.worker.count, 1U);
  EXPECT_FALSE(config.worker.cpu_of(0));
}

TEST(Workers, EachHasACoreOfItsOwn) {
  const Config config = parse_with(with("count = 2\ncpus = [5, 3]\n")).value();

  EXPECT_EQ(config.worker.cpu_of(0), 5U);
  EXPECT_EQ(config.worker.cpu_of(1), 3U);
  EXPECT_EQ(parse_with(with("cpu = 7\n")).value().worker.cpu_of(0), 7U);
}

TEST(Workers, AreAtMostAsManyAsThereAreLanes) {
  expect_said(with("count = 3\n", "2"),
              {"worker.count = 3, and cluster.lanes = 2", "set cluster.lanes = 3 or more"});
  EXPECT_EQ(errors_of(with("count = 2\n", "2")), "");
}

TEST(Workers, AreRefusedCoresThatDoNotFitThem) {
  expect_said(with("count = 2\ncpus = [1, 1]\n"), {"names core 1 twice", "lower worker.count"});
  expect_said(with("count = 2\ncpus = [1]\n"), {"names 1 cores, and worker.count = 2"});
  expect_said(with("count = 2\ncpu = 1\n"), {"names one core", "worker.cpus = [1, ...]"});
  expect_said(with("cpu = 1\ncpus = [1]\n"), {"both there", "take worker.cpu out"});
  expect_said(with("count = 2\ncpus = [1, 1024]\n"), {"names core 1024", "0 to 1023"});
}

TEST(Workers, HaveQueuesOfTheirOwnOverEveryTransport) {
  for (const std::string kind : {"udp", "shm", "dpdk", "verbs"}) {
    EXPECT_EQ(errors_of(with("count = 2\n[transport]\nkind = \"" + kind + "\"\n")), "") << kind;
  }
}

// Where groups have no ports.
TEST(Workers, HaveGroupsOfTheirOwnOverRdma) {
  const auto said = [](const std::string& kind, const std::string& group) {
    return with("count = 2\n[transport]\nkind = \"" + kind + "\"\nmulticast = \"" + group + "\"\n");
  };
  EXPECT_EQ(errors_of(said("verbs", "239.77.0.254:5407")), "");
  expect_said(said("verbs", "239.77.0.255:5407"), {"the 1 groups above it", "a lower number"});
  EXPECT_EQ(errors_of(said("udp", "239.77.0.255:5407")), "");
}

TEST(Workers, HavePortsOnTheSecondNetworkToo) {
  const auto parsed = [](const std::string& second) {
    return parse("[node]\nid = 1\n" + with("count = 2\n") + "[transport]\nsecond.kind = \"udp\"\n" +
                     std::string(kNode) + "second = \"" + second + "\"\n",
                 "t.toml", {.instance = "", .check_key_file = false});
  };
  EXPECT_EQ(errors_of(parsed("127.0.0.2:5405")), "");
  const std::string said = errors_of(parsed("127.0.0.1:5406"));
  EXPECT_NE(said.find("port 5406 of 127.0.0.1 is meant for two things"), std::string::npos) << said;
}

// The second worker of one node would open the port of another.
TEST(Workers, HavePortsOfTheirOwn) {
  const std::string near = "[[cluster.nodes]]\nid = 2\naddress = \"127.0.0.1:5406\"\n";
  const std::string apart = "[[cluster.nodes]]\nid = 2\naddress = \"127.0.0.1:5407\"\n";

  expect_said(with("count = 2\n") + near, {"port 5406 of 127.0.0.1 is meant for two", "leave 2"});
  EXPECT_EQ(errors_of(with("count = 2\n") + apart), "");
  EXPECT_EQ(errors_of(with("count = 1\n") + near), "");
  expect_said(with("count = 2\n") + "[[cluster.nodes]]\nid = 2\naddress = \"127.0.0.1:65535\"\n",
              {"65535", "lower port"});
}

TEST(Workers, NeedNoPortsOverSharedMemory) {
  const std::string near = "[[cluster.nodes]]\nid = 2\naddress = \"127.0.0.1:5406\"\n";

  EXPECT_EQ(errors_of(with("count = 2\n") + near + "[transport]\nkind = \"shm\"\n"), "");
}

TEST(Workers, TheirNumberKeepsNodesApart) {
  const auto hash = [](const std::string& worker) {
    return cluster_hash(parse_with(with(worker)).value());
  };

  EXPECT_NE(hash("count = 2\n"), hash("count = 1\n"));
  EXPECT_EQ(hash("count = 2\ncpus = [0, 1]\n"), hash("count = 2\n"));
}

TEST(Workers, WhatIsShownIsReadBack) {
  const Config config = parse_with(with("count = 2\ncpus = [5, 3]\n")).value();
  const auto again = parse(show(config), "s.toml", {.instance = "", .check_key_file = false});

  ASSERT_TRUE(again) << errors_of(again);
  EXPECT_EQ(again->worker.count, 2U);
  EXPECT_EQ(again->worker.cpus, config.worker.cpus);
}

}  // namespace
}  // namespace phalanx::config
