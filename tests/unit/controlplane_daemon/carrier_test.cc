#include "controlplane/daemon/carrier.h"

#include <gtest/gtest.h>

namespace phalanx::controlplane {
namespace {

bool is_up(const char* host) {
  EventLoop loop;
  return Carrier(loop, {.host = host, .port = 5405}, [] {}).is_up();
}

TEST(Carrier, AnInterfaceThatIsUpIsUp) { EXPECT_TRUE(is_up("127.0.0.1")); }

// A second address of lo carries frames, and no interface has it; a port of DPDK's is none of the
// kernel's. Taken for a cut cable, the node would go on alone for ever.
TEST(Carrier, OfAnAddressThatNoInterfaceHasNothingCanBeTold) {
  EXPECT_TRUE(is_up("127.0.0.2"));
  EXPECT_TRUE(is_up("203.0.113.7"));
}

}  // namespace
}  // namespace phalanx::controlplane
