#include "tests/unit/transport_parts/kill.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>

#include "ipc/base/time_ns.h"
#include "tests/unit/transport_shm/nodes.h"

namespace phalanx::transport::shm {
namespace {

std::unique_ptr<Transport> open_of_two(const std::string& directory, NodeId self) {
  return open_node(directory, self, 2);
}

TEST(ShmKill, TheListeningNodeSurvivesItsPeer) { survive_kills(open_of_two, 1, 2); }
TEST(ShmKill, TheConnectingNodeSurvivesItsPeer) { survive_kills(open_of_two, 2, 1); }
TEST(ShmKill, ANodeSurvivesPeersThatDieEarly) {
  survive_early_deaths(open_of_two, 0, 3 * kMillisecond);
}

std::size_t entries(const char* directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory),
                                                std::filesystem::directory_iterator()));
}

// Descriptors and mappings of the dead are gone.
TEST(ShmKill, NothingIsKeptOfPeersThatDied) {
  const TemporaryDirectory directory;
  const auto survivor = open_of_two(directory.path(), 1);
  ASSERT_NE(survivor, nullptr);
  const std::size_t before = entries("/proc/self/fd");
  for (std::size_t round = 0; round < 4; ++round) {
    {
      const PeerProcess victim(directory.path(), 2);
      ASSERT_TRUE(turn_until([&] {
        (void)receive(*survivor);
        return survivor->ports().up == 1;
      }));
    }
    ASSERT_TRUE(turn_until([&] {
      (void)receive(*survivor);
      return survivor->ports().up == 0;
    }));
    // The other thread cleans up.
    EXPECT_TRUE(turn_until([&] { return entries("/proc/self/fd") == before; })) << round;
  }
}

// Frozen, not dead: what it holds is bounded by its ring, and the other goes on.
TEST(ShmKill, AFrozenPeerCostsItsOwnFramesOnly) {
  const TemporaryDirectory directory;
  const auto survivor = open_node(directory.path(), 1, 3);
  const auto other = open_node(directory.path(), 3, 3);
  ASSERT_NE(survivor, nullptr);
  ASSERT_NE(other, nullptr);
  const PeerProcess frozen(directory.path(), 2);
  ASSERT_TRUE(turn_until([&] {
    (void)receive(*survivor);
    (void)receive(*other);
    return survivor->ports().up == 2;
  }));
  ASSERT_EQ(::kill(frozen.pid(), SIGSTOP), 0);
  ASSERT_EQ(waitpid(frozen.pid(), nullptr, WUNTRACED),
            frozen.pid());  // Or it would go on a little.
  std::size_t arrived = 0;
  const std::vector<Bytes> burst(32, frame_of(3, 700));
  for (std::size_t round = 0; round < 1000; ++round) {
    send(*survivor, burst, {.kind = Destination::Kind::Everyone});
    arrived += receive(*other).size();
  }
  EXPECT_EQ(arrived, 32'000u);
  EXPECT_EQ(survivor->counters().tx_refused, 32'000u - 1024u);
}

}  // namespace
}  // namespace phalanx::transport::shm
