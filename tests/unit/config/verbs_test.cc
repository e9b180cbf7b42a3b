#include <gtest/gtest.h>

#include "config/explain.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

constexpr const char* kVerbs =
    "[transport]\nkind = \"verbs\"\nmulticast = \"239.77.0.1:5407\"\n[transport.verbs]\n";

TEST(Verbs, KeysAreReadFromATableOfTheirOwn) {
  const Config config = parse_with(std::string(kVerbs) +
                                   "device = \"mlx5_0\"\nport = 2\ngid_index = 3\npkey = 0x8001\n"
                                   "qkey = 17\nservice_level = 4\nqueue = 512\n")
                            .value();

  EXPECT_EQ(config.transport.kind, TransportKind::Verbs);
  EXPECT_EQ(config.transport.verbs.device, "mlx5_0");
  EXPECT_EQ(config.transport.verbs.port, 2);
  EXPECT_EQ(config.transport.verbs.gid_index, 3);
  EXPECT_EQ(config.transport.verbs.pkey, 0x8001);
  EXPECT_EQ(config.transport.verbs.qkey, 17u);
  EXPECT_EQ(config.transport.verbs.service_level, 4);
  EXPECT_EQ(config.transport.verbs.queue, 512u);
}

TEST(Verbs, WithoutAGroupSendCopies) {
  const Config config = parse_with("[transport]\nkind = \"verbs\"\n").value();

  EXPECT_FALSE(config.transport.multicast);
  EXPECT_NE(cluster_hash(config), cluster_hash(parse_with(kVerbs).value())) << "all nodes, or none";
}

// Limited members of a partition, and the kernel's own keys.
TEST(Verbs, KeysThatWouldMakeNodesDeafAreRefused) {
  EXPECT_NE(errors_of(std::string(kVerbs) + "pkey = 0x7fff\n"), "");
  EXPECT_NE(errors_of(std::string(kVerbs) + "qkey = 0x80000000\n"), "");
  EXPECT_NE(errors_of(std::string(kVerbs) + "service_level = 16\n"), "");
}

TEST(Verbs, WhatMustBeEqualIsInTheHashOfClustersOverVerbsOnly) {
  const auto hash = [](const std::string& text) { return cluster_hash(parse_with(text).value()); };

  EXPECT_NE(hash(kVerbs), hash(std::string(kVerbs) + "qkey = 2\n"));
  EXPECT_EQ(hash(kVerbs), hash(std::string(kVerbs) + "device = \"rxe0\"\n"));
  EXPECT_EQ(hash(""), hash("[transport.verbs]\nqkey = 2\n"));
}

TEST(Verbs, WhatIsShownIsReadBack) {
  const Config config = parse_with(std::string(kVerbs) + "qkey = 2\n").value();
  const auto again = parse(show(config), "s.toml", {.instance = "", .check_key_file = false});

  ASSERT_TRUE(again) << errors_of(again);
  EXPECT_EQ(again->transport.verbs.qkey, 2u);
}

}  // namespace
}  // namespace phalanx::config
