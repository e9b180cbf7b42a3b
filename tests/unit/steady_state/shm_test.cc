#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/unit/steady_state/bare_turns.h"
#include "tests/unit/steady_state/census.h"
#include "tests/unit/transport_shm/nodes.h"

namespace phalanx::testing {
namespace {

class SteadyStateOverShm : public ::testing::TestWithParam<wire::Cipher> {
 protected:
  void SetUp() override {
    if (const char* why = why_no_census()) GTEST_SKIP() << why;
    if (!wire::available(GetParam())) GTEST_SKIP() << "this cipher is not there";
  }
};

TEST_P(SteadyStateOverShm, ATurnLeavesTheKernelAlone) {
  const transport::TemporaryDirectory directory;
  std::vector<std::unique_ptr<transport::Transport>> nodes;
  std::vector<transport::Transport*> all;
  for (NodeId self = 1; self <= 3; ++self) {
    nodes.push_back(transport::shm::open_node(directory.path(), self, 3));
    ASSERT_NE(nodes.back(), nullptr);
    all.push_back(nodes.back().get());
  }
  ASSERT_TRUE(transport::turn_until([&] {
    for (transport::Transport* node : all) (void)transport::receive(*node);
    return std::ranges::all_of(all, [](auto* node) { return node->ports().up == 2; });
  })) << "a link did not come up";

  turns_are_bare(all, GetParam(), Kernel::Untouched);
}

INSTANTIATE_TEST_SUITE_P(Ciphers, SteadyStateOverShm,
                         ::testing::Values(wire::Cipher::OpenSsl, wire::Cipher::IpsecMb),
                         [](const auto& made) {
                           return made.param == wire::Cipher::OpenSsl ? "OpenSsl" : "IpsecMb";
                         });

}  // namespace
}  // namespace phalanx::testing
