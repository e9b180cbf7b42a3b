#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "ipc/base/time_ns.h"
#include "tests/unit/transport_dpdk/nodes.h"

namespace phalanx::transport::dpdk {
namespace {

/// A process that answers as node `self`, until it is killed.
class Peer {
 public:
  Peer(const std::string& directory, NodeId self) : pid_(fork()) {
    if (pid_ != 0) return;
    execl("/proc/self/exe", "peer", "--peer", directory.c_str(), std::to_string(self).c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  ~Peer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

std::size_t kills() {
  const char* asked = std::getenv("PHX_TEST_KILLS");
  return asked == nullptr ? 4 : std::strtoul(asked, nullptr, 10);
}

/// A peer that is killed while frames fly both ways, again and again: the survivor lives, and hears
/// each successor.
void survive(NodeId self, NodeId peer) {
  const TemporaryDirectory directory;
  const auto survivor = open_memif_node(directory.path(), self, 2);
  ASSERT_NE(survivor, nullptr);
  const std::vector<Bytes> burst(16, frame_of(1, 1000));
  std::size_t answers = 0;
  const auto turn = [&] {
    send(*survivor, burst, {.kind = Destination::Kind::Everyone});
    answers += receive(*survivor).size();
  };
  for (std::size_t round = 0; round < kills(); ++round) {
    const Peer victim(directory.path(), peer);
    answers = 0;
    ASSERT_TRUE(turn_until([&] {
      turn();
      return answers > 1000 + 97 * (round % 16);
    })) << "no answer from peer number "
        << round;
  }
  answers = 0;
  for (int i = 0; i < 1000; ++i) turn();  // Whatever is left of the last one.
}

TEST(MemifKill, TheListeningNodeSurvivesItsPeer) { survive(1, 2); }
TEST(MemifKill, TheConnectingNodeSurvivesItsPeer) { survive(2, 1); }

// Killed while it starts: half a handshake must not harm the survivor, nor the next peer.
TEST(MemifKill, ANodeSurvivesPeersThatDieEarly) {
  const TemporaryDirectory directory;
  const auto survivor = open_memif_node(directory.path(), 1, 2);
  ASSERT_NE(survivor, nullptr);
  for (std::size_t round = 0; round < 2 * kills(); ++round) {
    const Peer victim(directory.path(), 2);
    const TimeNs end = monotonic_now() + (100 + 13 * (round % 12)) * kMillisecond;
    while (monotonic_now() < end) (void)receive(*survivor);
  }
  const Peer last(directory.path(), 2);
  ASSERT_TRUE(turn_until([&] {
    send(*survivor, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
    return !receive(*survivor).empty();
  }));
}

}  // namespace
}  // namespace phalanx::transport::dpdk
