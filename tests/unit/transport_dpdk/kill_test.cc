#include "tests/unit/transport_parts/kill.h"

#include <gtest/gtest.h>

#include "ipc/base/time_ns.h"
#include "tests/unit/transport_dpdk/nodes.h"

namespace phalanx::transport::dpdk {
namespace {

std::unique_ptr<Transport> open_of_two(const std::string& directory, NodeId self) {
  return open_memif_node(directory, self, 2);
}

TEST(MemifKill, TheListeningNodeSurvivesItsPeer) { survive_kills(open_of_two, 1, 2); }
TEST(MemifKill, TheConnectingNodeSurvivesItsPeer) { survive_kills(open_of_two, 2, 1); }
TEST(MemifKill, ANodeSurvivesPeersThatDieEarly) {
  survive_early_deaths(open_of_two, 100 * kMillisecond, 13 * kMillisecond);
}

}  // namespace
}  // namespace phalanx::transport::dpdk
