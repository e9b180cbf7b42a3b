#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/unit/steady_state/bare_turns.h"
#include "tests/unit/steady_state/census.h"
#include "transport/udp/udp_transport.h"

namespace phalanx::testing {
namespace {

using transport::Transport;

TEST(SteadyStateOverUdp, ATurnAllocatesAndLocksNothing) {
  if (const char* why = why_no_census()) GTEST_SKIP() << why;
  std::vector<std::unique_ptr<transport::udp::UdpTransport>> nodes;
  transport::udp::UdpConfig config;
  config.local.host = "127.0.0.1";
  config.peers = {{1, {"127.0.0.1", 1}}, {2, {"127.0.0.1", 1}}, {3, {"127.0.0.1", 1}}};
  for (NodeId self = 1; self <= 3; ++self) {
    config.self = self;
    auto opened = transport::udp::open(config);
    ASSERT_TRUE(opened) << opened.error().text();
    nodes.push_back(std::move(*opened));
  }
  std::vector<Transport*> all;
  for (auto& node : nodes) {
    for (NodeId peer = 1; peer <= 3; ++peer) {
      node->set_peer(peer, nodes[peer - 1]->local_address());
    }
    all.push_back(node.get());
  }

  turns_are_bare(all, wire::fastest_cipher(), Kernel::Entered);
}

}  // namespace
}  // namespace phalanx::testing
