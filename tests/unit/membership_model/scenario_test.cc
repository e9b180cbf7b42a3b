#include <gtest/gtest.h>

#include "tests/unit/membership_model/cluster.h"

namespace phalanx::membership::model {
namespace {

TEST(Scenario, ThreeNodesFormTheirFirstViewWithinTheHoldTime) {
  Cluster cluster({.nodes = 3});

  for (std::size_t i = 0; i < 3; ++i) cluster.boot(i);

  const TimeNs took = cluster.run_until([&] { return cluster.one_view_of_all(); }, kSecond);
  EXPECT_LE(took, 50 * kMillisecond);
  EXPECT_EQ(cluster.installs(0), 1u);
}

}  // namespace
}  // namespace phalanx::membership::model
