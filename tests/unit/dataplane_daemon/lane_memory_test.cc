#include "dataplane/daemon/lane_memory.h"

#include <gtest/gtest.h>

#include <string>

#include "config/load.h"
#include "dataplane/memory/lane_rings.h"

namespace phalanx::dataplane {
namespace {

config::Config three_nodes() {
  config::Config c;
  c.node.id = 1;
  c.cluster.lanes = 1;
  c.cluster.max_message = 1u << 20;
  for (NodeId id = 1; id <= 3; ++id) {
    config::ClusterNode node;
    node.id = id;
    c.cluster.nodes.push_back(node);
  }
  c.lane = {.log = 16u << 20, .window = 512u << 10, .submit_window = 256u << 10};
  return c;
}

constexpr transport::TransportLimits kWire{
    .frame_bytes_max = 1472, .burst_frames_max = 64, .rx_ring_frames = 2048};

TEST(LaneMemory, WindowsOfAllNodesFitTheReceiveRing) {
  const auto sizes = core_config(three_nodes(), BootId{}, kWire);

  ASSERT_TRUE(sizes);
  EXPECT_LE(4 * sizes->window_frames + 4 * 3, kWire.rx_ring_frames);
  EXPECT_GT(sizes->window_frames, 400U);
  EXPECT_EQ(sizes->frame_payload_bytes % 8, 0U);
}

TEST(LaneMemory, ALogThatIsTooSmallNamesWhatItNeeds) {
  config::Config c = three_nodes();
  c.lane.log = 2u << 20;

  const auto sizes = core_config(c, BootId{}, kWire);

  ASSERT_FALSE(sizes);
  EXPECT_EQ(sizes.error().code, ExitCode::Usage);
  EXPECT_NE(sizes.error().remedy.find("4194304"), std::string::npos) << sizes.error().text();
}

// What a configuration makes of lane.log, for every size of a cluster: also where the sum is a
// power of two but for the headers of records.
TEST(LaneMemory, ALogOfTheConfigurationIsLargeEnough) {
  transport::TransportLimits wire = kWire;
  wire.rx_ring_frames = 1 << 16;
  std::string text = "[node]\nid = 1\n[transport]\nreceive_buffer = \"32MiB\"\n";
  for (std::size_t nodes = 1; nodes <= kNodesMax; ++nodes) {
    text += "[[cluster.nodes]]\nid = " + std::to_string(nodes) + "\naddress = \"127.0.0." +
            std::to_string(nodes) + ":5405\"\n";
    const auto config = config::parse(text, "t.toml", {.instance = "", .check_key_file = false});
    ASSERT_TRUE(config) << config.error().text();

    const auto sizes = core_config(*config, BootId{}, wire);

    ASSERT_TRUE(sizes) << nodes << ": " << sizes.error().text();
  }
}

TEST(LaneMemory, AReceiveRingThatIsTooSmallIsRefused) {
  transport::TransportLimits wire = kWire;
  wire.rx_ring_frames = 16;

  const auto sizes = core_config(three_nodes(), BootId{}, wire);

  ASSERT_FALSE(sizes);
  EXPECT_NE(sizes.error().remedy.find("receive_buffer"), std::string::npos);
}

// The core checks its own rules when it is made: a configuration that passes here never aborts
// there.
TEST(LaneMemory, TheCoreTakesWhatIsMadeForIt) {
  config::Config c = three_nodes();
  c.cluster.lanes = 2;
  c.lane.log = 4u << 20;
  const auto sizes = core_config(c, BootId{}, kWire);
  ASSERT_TRUE(sizes);

  const auto rings = LaneRings::create(*sizes, 3);
  ASSERT_TRUE(rings);
  const core::Core core(*sizes, rings->lanes());

  EXPECT_TRUE(core.frozen());
  EXPECT_EQ(rings->lanes().size(), 2U);
}

}  // namespace
}  // namespace phalanx::dataplane
