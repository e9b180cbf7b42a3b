#include <gtest/gtest.h>

#include "config/explain.h"
#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

constexpr const char* kPort = "[transport]\nkind = \"dpdk\"\nport = \"0000:3b:00.0\"\n";

TEST(Vlan, IsTheNumberOfATag) {
  EXPECT_EQ(parse_with(kPort).value().transport.vlan, 0);
  EXPECT_EQ(parse_with(std::string(kPort) + "vlan = 4094\n").value().transport.vlan, 4094);
  EXPECT_NE(errors_of(std::string(kPort) + "vlan = 4095\n"), "");
  EXPECT_NE(errors_of(std::string(kPort) + "vlan = -1\n"), "");
}

// Packets would leave without it, and reach somebody else's network.
TEST(Vlan, IsRefusedWhereNothingWouldCarryIt) {
  for (const char* transport : {"kind = \"udp\"\n", "kind = \"dpdk\"\n", "kind = \"verbs\"\n"}) {
    const std::string said = errors_of("[transport]\n" + std::string(transport) + "vlan = 77\n");
    EXPECT_NE(said.find("transport.vlan = 77"), std::string::npos) << said;
    EXPECT_NE(said.find("type vlan id 77"), std::string::npos) << said;
  }
}

TEST(Vlan, WhatIsShownIsReadBack) {
  const Config config = parse_with(std::string(kPort) + "vlan = 5\n").value();
  const auto again = parse(show(config), "s.toml", {.instance = "", .check_key_file = false});

  ASSERT_TRUE(again) << errors_of(again);
  EXPECT_EQ(again->transport.vlan, 5);
}

}  // namespace
}  // namespace phalanx::config
