#include "tests/unit/transport_parts/kill.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/base/time_ns.h"

namespace phalanx::transport {

PeerProcess::PeerProcess(const std::string& directory, NodeId self) : pid_(fork()) {
  if (pid_ != 0) return;
  execl("/proc/self/exe", "peer", "--peer", directory.c_str(), std::to_string(self).c_str(),
        static_cast<char*>(nullptr));
  _exit(127);
}

PeerProcess::~PeerProcess() {
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void survive_kills(const OpenNode& open, NodeId self, NodeId peer) {
  const TemporaryDirectory directory;
  const auto survivor = open(directory.path(), self);
  ASSERT_NE(survivor, nullptr);
  const std::vector<Bytes> burst(16, frame_of(1, 1000));
  std::size_t answers = 0;
  const auto turn = [&] {
    send(*survivor, burst, {.kind = Destination::Kind::Everyone});
    answers += receive(*survivor).size();
  };
  for (std::size_t round = 0; round < kills(); ++round) {
    const PeerProcess victim(directory.path(), peer);
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

void survive_early_deaths(const OpenNode& open, TimeNs first, TimeNs step) {
  const TemporaryDirectory directory;
  const auto survivor = open(directory.path(), 1);
  ASSERT_NE(survivor, nullptr);
  for (std::size_t round = 0; round < 2 * kills(); ++round) {
    const PeerProcess victim(directory.path(), 2);
    const TimeNs end = monotonic_now() + first + step * (round % 12);
    while (monotonic_now() < end) (void)receive(*survivor);
  }
  const PeerProcess last(directory.path(), 2);
  ASSERT_TRUE(turn_until([&] {
    send(*survivor, {frame_of(1, 64)}, {.kind = Destination::Kind::Everyone});
    return !receive(*survivor).empty();
  }));
}

}  // namespace phalanx::transport
