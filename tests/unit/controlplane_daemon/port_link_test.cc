#include "controlplane/daemon/port_link.h"

#include <gtest/gtest.h>

#include <string>

namespace phalanx::controlplane {
namespace {

config::TransportSection over(config::TransportKind kind, const std::string& port) {
  config::TransportSection out;
  out.kind = kind;
  out.port = port;
  return out;
}

shm::WorkerStatus one_port(std::uint32_t up) {
  shm::WorkerStatus out{};
  out.transport.ports = 1;
  out.transport.ports_up = up;
  return out;
}

TEST(PortLink, FollowsThePortOnceItHadALink) {
  PortLink link(over(config::TransportKind::Dpdk, "0000:3b:00.0"));

  EXPECT_FALSE(link.look(one_port(1)));
  EXPECT_TRUE(link.look(one_port(0)));
  EXPECT_FALSE(link.is_up());
  EXPECT_FALSE(link.look(one_port(0))) << "told once";
  EXPECT_TRUE(link.look(one_port(1)));
  EXPECT_TRUE(link.is_up());
}

TEST(PortLink, FollowsAnAdapterOverVerbs) {
  PortLink link(over(config::TransportKind::Verbs, "memif"));

  EXPECT_FALSE(link.look(one_port(1)));
  EXPECT_TRUE(link.look(one_port(0)));
  EXPECT_FALSE(link.is_up());
}

// A port takes a moment, and some drivers never tell.
TEST(PortLink, AccusesNoPortThatHadNoneYet) {
  PortLink link(over(config::TransportKind::Dpdk, "0000:3b:00.0"));

  EXPECT_FALSE(link.look(one_port(0)));
  EXPECT_TRUE(link.is_up());
}

TEST(PortLink, ForgetsThePortWithItsDataPlane) {
  PortLink link(over(config::TransportKind::Dpdk, "0000:3b:00.0"));
  EXPECT_FALSE(link.look(one_port(1)));
  EXPECT_TRUE(link.look(one_port(0)));

  link.forget();
  EXPECT_TRUE(link.is_up());
  EXPECT_FALSE(link.look(one_port(0))) << "the next data plane's port starts";
}

shm::WorkerStatus two_links(std::uint32_t first_up, std::uint32_t second_up) {
  shm::WorkerStatus out{};
  out.transport.links = 2;
  out.transport.link[0] = {.ports = 1, .ports_up = first_up};
  out.transport.link[1] = {.ports = 1, .ports_up = second_up};
  return out;
}

TEST(PortLink, FollowsTheSecondNetworksPortAlone) {
  config::SecondSection set;
  set.enabled = true;
  EXPECT_FALSE(PortLink(set).watches()) << "the kernel tells of its own";
  set.kind = config::TransportKind::Dpdk;
  PortLink link(set);
  ASSERT_TRUE(link.watches());

  EXPECT_FALSE(link.look(two_links(1, 1)));
  EXPECT_FALSE(link.look(two_links(0, 1)));
  EXPECT_TRUE(link.look(two_links(1, 0)));
  EXPECT_FALSE(link.is_up());
  EXPECT_FALSE(link.look(one_port(1))) << "which is no word of the second";
}

// A worker that could not say anything yet, or a status without ports.
TEST(PortLink, KeepsWhatItKnowsWhenNothingIsSaidOfPorts) {
  PortLink link(over(config::TransportKind::Dpdk, "0000:3b:00.0"));
  EXPECT_FALSE(link.look(one_port(1)));
  EXPECT_TRUE(link.look(one_port(0)));

  EXPECT_FALSE(link.look(shm::WorkerStatus{}));
  EXPECT_FALSE(link.is_up());
}

// The kernel's own interface of the second one is watched elsewhere.
TEST(PortLink, OfTwoNetworksItWatchesTheFirst) {
  PortLink link(over(config::TransportKind::Dpdk, "0000:3b:00.0"));
  shm::WorkerStatus two = one_port(2);
  two.transport.ports = 2;
  two.transport.links = 2;
  two.transport.link[0].ports = two.transport.link[1].ports = 1;
  two.transport.link[0].ports_up = two.transport.link[1].ports_up = 1;
  EXPECT_FALSE(link.look(two));

  two.transport.ports_up = 1;
  two.transport.link[0].ports_up = 0;
  EXPECT_TRUE(link.look(two));
  EXPECT_FALSE(link.is_up());
}

TEST(PortLink, LeavesTheWiresOfTheKernelAndOfMemifAlone) {
  for (const auto& set : {over(config::TransportKind::Udp, "0000:3b:00.0"),
                          over(config::TransportKind::Dpdk, "memif")}) {
    PortLink link(set);

    EXPECT_FALSE(link.watches());
    EXPECT_FALSE(link.look(one_port(1)));
    EXPECT_FALSE(link.look(one_port(0)));
    EXPECT_TRUE(link.is_up());
  }
}

}  // namespace
}  // namespace phalanx::controlplane
