// So many turns of three nodes and a client over a wire that costs nothing, always the same: under
// `valgrind --tool=callgrind --toggle-collect='*Cluster::flood*'` the instructions of the whole
// data path. perf/instructions holds them to a budget.
#include <cstdio>
#include <cstdlib>

#include "perf/micro/bench_cluster.h"
#include "perf/micro/memory_wire.h"

int main(int argc, char** argv) {
  using namespace phalanx::bench;
  const auto number = [&](int i) { return std::strtoul(argv[i], nullptr, 10); };
  if (argc != 5 || number(1) > 2 || number(2) < 1 || number(2) > kMessageMax || number(3) < 512 ||
      number(4) < 1) {
    std::fputs(
        "usage: flood-bench SENDER BYTES FRAME_BYTES TURNS: SENDER 0 is at the orderer, 1 and 2 "
        "elsewhere; prints how many messages all three nodes delivered\n",
        stderr);
    return 2;
  }
  Cluster cluster(MemoryWire::make(3, static_cast<std::uint32_t>(number(3))), Keeps::Nothing);
  const std::uint64_t before = cluster.delivered(2);
  for (unsigned long turn = 0; turn < number(4); ++turn) {
    cluster.flood(number(1), static_cast<std::uint32_t>(number(2)));
  }
  std::printf("%llu\n", static_cast<unsigned long long>(cluster.delivered(2) - before));
  return 0;
}
