#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "tests/unit/steady_state/bare_turns.h"
#include "tests/unit/steady_state/census.h"
#include "tests/unit/transport_dpdk/nodes.h"
#include "tests/unit/transport_dpdk/rings.h"
#include "transport/dpdk/eal.h"

namespace phalanx::testing {
namespace {

using transport::Transport;
namespace dpdk = transport::dpdk;

class SteadyStateOverDpdk : public ::testing::TestWithParam<wire::Cipher> {
 protected:
  void SetUp() override {
    if (const char* why = why_no_census()) GTEST_SKIP() << why;
    if (!wire::available(GetParam())) GTEST_SKIP() << "this cipher is not there";
  }
  [[nodiscard]] std::vector<Transport*> all() const {
    std::vector<Transport*> out;
    for (const auto& node : nodes_) out.push_back(node.get());
    return out;
  }
  std::vector<std::unique_ptr<Transport>> nodes_;
};

TEST_P(SteadyStateOverDpdk, ATurnOverMemifLeavesTheKernelAlone) {
  const transport::TemporaryDirectory directory;
  for (NodeId self = 1; self <= 3; ++self) {
    nodes_.push_back(dpdk::open_memif_node(directory.path(), self, 3));
    ASSERT_NE(nodes_.back(), nullptr);
  }
  std::array<std::size_t, 3> heard{};
  ASSERT_TRUE(transport::turn_until([&] {
    for (auto& node : nodes_) {
      transport::send(*node, {transport::frame_of(1, 64)},
                      {.kind = transport::Destination::Kind::Everyone});
    }
    for (std::size_t i = 0; i < 3; ++i) (void)transport::receive(*nodes_[i]);
    for (std::size_t i = 0; i < 3; ++i) heard[i] = nodes_[i]->ports().up;
    return heard == std::array<std::size_t, 3>{2, 2, 2};
  })) << "a link did not come up";

  turns_are_bare(all(), GetParam(), Kernel::Untouched);
}

// Ethernet, IP and UDP headers, and everything above them, over a wire that is no device.
TEST_P(SteadyStateOverDpdk, ATurnOverEthernetLeavesTheKernelAlone) {
  const auto started =
      dpdk::start_eal({.instance = "test", .cpu = {}, .pci = {}, .extra = dpdk::eal_words()});
  ASSERT_TRUE(started) << started.error().text();
  dpdk::make_ring_pair();
  for (NodeId self = 1; self <= 2; ++self) {
    dpdk::DpdkConfig config{.self = self,
                            .peers = {{1, {"10.0.0.1", 5405}}, {2, {"10.0.0.2", 5405}}},
                            .multicast = {},
                            .port = self == 1 ? "net_ring_first" : "net_ring_second",
                            .memif_directory = {},
                            .eal = {.instance = "test", .cpu = {}, .pci = {}, .extra = {}}};
    auto opened = dpdk::open(config);
    ASSERT_TRUE(opened) << opened.error().text();
    nodes_.push_back(std::move(opened->front()));
  }

  turns_are_bare(all(), GetParam(), Kernel::Untouched);
}

INSTANTIATE_TEST_SUITE_P(Ciphers, SteadyStateOverDpdk,
                         ::testing::Values(wire::Cipher::OpenSsl, wire::Cipher::IpsecMb),
                         [](const auto& made) {
                           return made.param == wire::Cipher::OpenSsl ? "OpenSsl" : "IpsecMb";
                         });

}  // namespace
}  // namespace phalanx::testing
