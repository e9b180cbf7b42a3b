// What one node's own work costs, without any wire: a worker at the orderer, a worker elsewhere and
// a client, each by the time-stamp counter, in nanoseconds a message, with the frames that a
// message took. perf/model turns this into limits for wires that are not there.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ipc/base/time_ns.h"
#include "perf/micro/bench_cluster.h"
#include "perf/micro/memory_wire.h"

namespace phalanx::bench {
namespace {

struct Cost {
  std::uint32_t bytes = 0;
  std::uint32_t frame_bytes = 0;
  double orderer_ns = 0;
  double receiver_ns = 0;
  double client_ns = 0;
  double tx_frames = 0;  ///< A message, of the orderer.
  double rx_frames = 0;  ///< A message, of the receiver.
};

double ticks_a_ns() {
  const TimeNs begin = monotonic_now();
  const std::uint64_t ticks = recorder::ticks_now();
  while (monotonic_now() - begin < 50 * kMillisecond) {
  }
  return static_cast<double>(recorder::ticks_now() - ticks) /
         static_cast<double>(monotonic_now() - begin);
}

/// The least of `rounds`: whoever else uses the machine only adds.
Cost measure(std::size_t nodes, std::uint32_t bytes, std::uint32_t frame_bytes, int rounds,
             double ticks_a_ns) {
  Cluster cluster(MemoryWire::make(nodes, frame_bytes), Keeps::Nothing);
  Cost best{.bytes = bytes,
            .frame_bytes = frame_bytes,
            .orderer_ns = 1e9,
            .receiver_ns = 1e9,
            .client_ns = 1e9};
  for (int round = 0; round < rounds; ++round) {
    const auto orderer = cluster.ticks(0);
    const auto receiver = cluster.ticks(1);
    const std::uint64_t delivered = cluster.delivered(1);
    const std::uint64_t tx = cluster.transport(0).counters().tx_frames;
    const std::uint64_t rx = cluster.transport(1).counters().rx_frames;
    for (int turn = 0; turn < 200; ++turn) cluster.flood(0, bytes);
    const auto messages = static_cast<double>(cluster.delivered(1) - delivered);
    const auto ns = [&](std::uint64_t ticks) {
      return static_cast<double>(ticks) / ticks_a_ns / messages;
    };
    best.orderer_ns = std::min(best.orderer_ns, ns(cluster.ticks(0).worker - orderer.worker));
    best.receiver_ns = std::min(best.receiver_ns, ns(cluster.ticks(1).worker - receiver.worker));
    best.client_ns = std::min(best.client_ns, ns(cluster.ticks(0).client - orderer.client));
    best.tx_frames = static_cast<double>(cluster.transport(0).counters().tx_frames - tx) / messages;
    best.rx_frames = static_cast<double>(cluster.transport(1).counters().rx_frames - rx) / messages;
  }
  return best;
}

}  // namespace
}  // namespace phalanx::bench

int main(int argc, char** argv) {
  using namespace phalanx::bench;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 30;
  if (argc > 2 || rounds < 1) {
    std::fputs("usage: node-bench [ROUNDS]: prints JSON; each figure is the least of ROUNDS (30)\n",
               stderr);
    return 2;
  }
  const double ticks = ticks_a_ns();
  std::printf("{\"version\": 1, \"ticks_a_ns\": %.4f, \"nodes\": 3, \"costs\": [", ticks);
  bool first = true;
  for (const std::uint32_t frame_bytes : {1472U, 8972U}) {
    for (const std::uint32_t bytes : {16U, 64U, 256U, 1024U, 1400U, 8192U}) {
      const Cost cost = measure(3, bytes, frame_bytes, rounds, ticks);
      std::printf(
          "%s\n  {\"bytes\": %u, \"frame_bytes\": %u, \"orderer_ns\": %.2f, \"receiver_ns\": %.2f, "
          "\"client_ns\": %.2f, \"tx_frames\": %.5f, \"rx_frames\": %.5f}",
          first ? "" : ",", cost.bytes, cost.frame_bytes, cost.orderer_ns, cost.receiver_ns,
          cost.client_ns, cost.tx_frames, cost.rx_frames);
      first = false;
    }
  }
  std::puts("\n]}");
  return 0;
}
