#include "dataplane/daemon/cpu_node.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace phalanx::dataplane {
namespace {

namespace fs = std::filesystem;

/// What the kernel shows of two packages: cores 0 and 2 on node 0, 1 and 10 on node 3.
struct CpuNode : testing::Test {
  void SetUp() override {
    ASSERT_NE(mkdtemp(root.data()), nullptr);
    for (const char* place : {"cpu0/node0", "cpu2/node0", "cpu1/node3", "cpu10/node3"}) {
      fs::create_directories(fs::path(root) / "cpu" / place);
    }
    fs::create_directories(fs::path(root) / "cpu/cpu0/node_of_nobody");
    fs::create_directories(fs::path(root) / "node");
    has_memory("0,3");
  }
  void TearDown() override { fs::remove_all(root); }
  void has_memory(const std::string& list) const {
    std::ofstream(fs::path(root) / "node/has_memory") << list << "\n";
  }
  std::optional<std::uint32_t> of(std::uint32_t cpu) const { return memory_node_of(cpu, root); }

  std::string root = "/tmp/phalanx-sysfs-XXXXXX";
};

TEST_F(CpuNode, IsThatOfTheCore) {
  EXPECT_EQ(of(0), 0U);
  EXPECT_EQ(of(2), 0U);
  EXPECT_EQ(of(1), 3U);
  EXPECT_EQ(of(10), 3U);
  EXPECT_EQ(of(7), std::nullopt) << "no such core";
}

TEST_F(CpuNode, IsNotAskedForWhereAllMemoryIsOnOne) {
  has_memory("0");
  EXPECT_EQ(of(0), std::nullopt);
}

TEST_F(CpuNode, HasMemoryOrCountsForNothing) {
  has_memory("1-3,7");
  EXPECT_EQ(of(1), 3U);
  EXPECT_EQ(of(0), std::nullopt);
}

TEST_F(CpuNode, IsUnknownWhereTheKernelSaysNothingThatMakesSense) {
  for (const std::string text : {"", "zero", "0-", "-3", "0-99999999999", "0,,3", "0-4000000000"}) {
    has_memory(text);
    EXPECT_EQ(of(0), std::nullopt) << text;
  }
  EXPECT_EQ(memory_node_of(0, root + "/none"), std::nullopt);
}

TEST(CpuNodeOfThisHost, CanBeAsked) {
  const auto node = memory_node_of(0);

  const std::string name = "/sys/devices/system/node/node" + std::to_string(node.value_or(0));
  EXPECT_EQ(node.has_value(), node && fs::exists(name));
}

}  // namespace
}  // namespace phalanx::dataplane
