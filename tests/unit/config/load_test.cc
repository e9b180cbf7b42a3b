#include "config/load.h"

#include <gtest/gtest.h>

#include "config/explain.h"
#include "config/schema.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

TEST(Load, FillsInEveryDefault) {
  const auto config = parse_with("");

  ASSERT_TRUE(config) << errors_of(config);
  EXPECT_EQ(config->node.id, 1U);
  EXPECT_EQ(config->node.name, "n1");
  EXPECT_EQ(config->node.instance, "default");
  EXPECT_EQ(to_string(config->node.address), "127.0.0.1:5405");
  EXPECT_FALSE(config->node.management.has_value());
  EXPECT_EQ(config->cluster.lanes, 1);
  EXPECT_EQ(config->cluster.max_message, 1U << 20);
  EXPECT_EQ(config->cluster.dead_after, 50 * kMillisecond);
  EXPECT_EQ(config->cluster.stall_after, 500 * kMillisecond);
  EXPECT_EQ(config->cluster.hold_max, 5 * kSecond);
  EXPECT_FALSE(config->cluster.insecure);
  EXPECT_EQ(config->lane.log, 4U << 20);
  EXPECT_EQ(config->client.ring, 1U << 20);
  EXPECT_EQ(config->client.slow_policy, SlowPolicy::Evict);
  EXPECT_EQ(config->worker.idle, IdleStrategy::Adaptive);
  EXPECT_FALSE(config->worker.cpu.has_value());
  EXPECT_FALSE(config->worker.realtime);
  EXPECT_EQ(config->log_level, LogLevel::Info);
}

TEST(Load, TakesWhatIsSet) {
  const auto config = parse_with(
      "instance = \"a\"\nmanagement = \"[::1]:7\"\n"
      "[cluster]\nencryption = \"insecure\"\nlanes = 2\ndead_after = \"20ms\"\n"
      "[client]\nslow_policy = \"throttle\"\nuids = [1000, 1001]\n"
      "[worker]\nidle = \"busy\"\ncpu = 3\nscheduling = \"realtime\"\n[log]\nlevel = \"debug\"\n");

  ASSERT_TRUE(config) << errors_of(config);
  EXPECT_EQ(config->node.instance, "a");
  EXPECT_EQ(to_string(config->node.management.value()), "[::1]:7");
  EXPECT_TRUE(config->cluster.insecure);
  EXPECT_EQ(config->cluster.lanes, 2);
  EXPECT_EQ(config->cluster.dead_after, 20 * kMillisecond);
  EXPECT_EQ(config->client.slow_policy, SlowPolicy::Throttle);
  EXPECT_EQ(config->client.uids, (std::vector<std::uint32_t>{1000, 1001}));
  EXPECT_EQ(config->worker.idle, IdleStrategy::Busy);
  EXPECT_EQ(config->worker.cpu, 3U);
  EXPECT_TRUE(config->worker.realtime);
  EXPECT_EQ(config->log_level, LogLevel::Debug);
}

constexpr std::string_view kShared =
    "[[cluster.nodes]]\nid = 2\nname = \"b\"\naddress = \"127.0.0.1:2\"\n"
    "management = \"127.0.0.1:4\"\n"
    "[[cluster.nodes]]\nid = 1\nname = \"a\"\naddress = \"127.0.0.1:1\"\n";

Expected<Config, ConfigErrors> parse_as(std::string_view text, const std::string& instance) {
  return parse(text, "t.toml", {.instance = instance, .check_key_file = false});
}

TEST(Instance, NamesTheNodeOfASharedFile) {
  const auto config = parse_as(kShared, "b");

  ASSERT_TRUE(config) << errors_of(config);
  EXPECT_EQ(config->node.id, 2U);
  EXPECT_EQ(config->node.instance, "b");
  EXPECT_EQ(to_string(config->node.management.value()), "127.0.0.1:4");
  EXPECT_EQ(config->cluster.nodes.front().id, 1U) << "sorted by id";
}

TEST(Instance, ThatNamesNoNodeIsAnError) {
  EXPECT_EQ(errors_of(parse_as(kShared, "c")),
            "t.toml: error: no entry of cluster.nodes has the name c\n"
            "  allowed: 2 (b), 1 (a)\n"
            "  remedy:  set node.id, or give --instance NAME\n");
}

TEST(Instance, OrNodeIdMustSayWhichNodeThisIs) {
  EXPECT_EQ(errors_of(parse_as(kShared, "")),
            "t.toml: error: nothing says which node this is\n"
            "  allowed: 2 (b), 1 (a)\n"
            "  remedy:  set node.id, or give --instance NAME\n");
}

TEST(Instance, MayBeAnyNameWhenTheFileHasANodeId) {
  const auto config = parse_as("[node]\nid = 1\n" + std::string(kShared), "test");

  ASSERT_TRUE(config) << errors_of(config);
  EXPECT_EQ(config->node.id, 1U);
  EXPECT_EQ(config->node.instance, "test");
}

TEST(Instance, MustNotNameAnotherNodeThanTheFile) {
  EXPECT_EQ(errors_of(parse_as("[node]\nid = 1\n" + std::string(kShared), "b")),
            "t.toml:2:6: error: node.id = 1 but --instance b is the name of node 2\n"
            "  allowed: one of the two\n"
            "  remedy:  take node.id out of a file that several nodes share\n");
}

TEST(ClusterHash, IsTheSameForAllNodesOfOneCluster) {
  const auto a = parse_as(kShared, "a");
  const auto b =
      parse_as("[client]\nmax = 5\n[log]\nlevel = \"debug\"\n" + std::string(kShared), "b");

  EXPECT_EQ(cluster_hash(a.value()), cluster_hash(b.value()));
}

TEST(ClusterHash, DiffersWithEveryKeyOfTheClusterPart) {
  const auto base = parse_with("").value();
  for (const std::string_view other :
       {"[cluster]\nname = \"x\"\n", "[cluster]\nencryption = \"insecure\"\n",
        "[cluster]\nlanes = 2\n", "[cluster]\nmax_message = \"64KiB\"\n",
        "[lane]\nwindow = \"256KiB\"\n", "[transport]\nmtu = \"9000B\"\n",
        "[[cluster.nodes]]\nid = 2\naddress = \"127.0.0.1:5406\"\n"}) {
    const auto changed = parse_with(other);
    ASSERT_TRUE(changed) << errors_of(changed);
    EXPECT_NE(cluster_hash(base), cluster_hash(*changed)) << other;
  }
}

// Nodes must go on together while a reload reaches one after the other, and when one starts anew.
TEST(ClusterHash, LeavesOutWhatAReloadMayChange) {
  const auto base = parse_with("").value();
  for (const std::string_view other :
       {"[cluster]\ndead_after = \"51ms\"\n", "[cluster]\nstall_after = \"501ms\"\n",
        "[cluster]\nhold_min = \"51ms\"\n", "[cluster]\nhold_max = \"6s\"\n"}) {
    const auto changed = parse_with(other);
    ASSERT_TRUE(changed) << errors_of(changed);
    EXPECT_EQ(cluster_hash(base), cluster_hash(*changed)) << other;
    EXPECT_NE(reload_hash(base), reload_hash(*changed)) << other;
  }
}

// Peers compare it over the wire: a change of it is a change of the protocol.
TEST(ClusterHash, IsStable) {
  EXPECT_EQ(cluster_hash(parse_with("").value()), 11663158430414227164U);
}

TEST(SampleFile, IsCorrectAndHoldsEveryDefault) {
  const auto config = parse(sample_file(), "sample", {.instance = "", .check_key_file = false});
  const auto plain = parse_with("");

  ASSERT_TRUE(config) << errors_of(config);
  for (const Key& key : schema()) EXPECT_EQ(key.read(*config), key.read(*plain)) << key.name;
}

TEST(Show, PrintsAFileThatReadsBackTheSame) {
  const auto config = parse_with("[lane]\nlog = \"32MiB\"\n[client]\ngids = [5]\n").value();

  const auto again = parse(show(config), "shown", {.instance = "", .check_key_file = false});

  ASSERT_TRUE(again) << errors_of(again);
  for (const Key& key : schema()) EXPECT_EQ(key.read(*again), key.read(config)) << key.name;
  EXPECT_EQ(again->cluster.nodes, config.cluster.nodes);
}

TEST(Explain, TellsRangeDefaultAndScope) {
  EXPECT_EQ(explain("client.ring"),
            "client.ring: a size\n"
            "  Size of each of the two rings between a client and the data plane.\n"
            "  allowed: \"64KiB\" to \"64MiB\", a power of two (units: B, KiB, MiB, GiB)\n"
            "  default: \"1MiB\"\n"
            "  scope:   this node, read at start\n");
  EXPECT_NE(explain("lane").find("lane.window"), std::string::npos);
  EXPECT_NE(explain("cluster.nodes").find("address (required)"), std::string::npos);
  EXPECT_EQ(explain("lane.lock"), "");
}

TEST(Examples, AreCorrect) {
  const std::string directory = PHX_SOURCE_ROOT "/config/examples/";
  const auto minimal = load(directory + "minimal.toml", {.instance = "", .check_key_file = false});
  EXPECT_TRUE(minimal) << errors_of(minimal);
  for (const std::string name : {"n1", "n2", "n3"}) {
    const auto three =
        load(directory + "three-nodes.toml", {.instance = name, .check_key_file = false});
    ASSERT_TRUE(three) << errors_of(three);
    EXPECT_EQ(three->node.name, name);
  }
}

}  // namespace
}  // namespace phalanx::config
