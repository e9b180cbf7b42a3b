// What one event of the flight recorder costs, into a ring of the real size in a real file, and
// what the time stamp alone costs of it.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "ipc/base/assert.h"
#include "ipc/recorder/recorder.h"

namespace phalanx::recorder {
namespace {

void note(benchmark::State& state) {
  std::string directory = "/dev/shm/recorder-bench-XXXXXX";
  PHX_CHECK(mkdtemp(directory.data()) != nullptr);
  constexpr std::array<NodeId, 3> kNodes = {1, 2, 3};
  auto recorder = Recorder::open(
      {.directory = directory, .writer = "worker", .self = {1, BootId{{1}}}, .nodes = kNodes});
  PHX_CHECK(recorder.has_value());
  std::uint64_t position = 0;
  for (auto _ : state) {
    (*recorder)->note(Kind::Progress,
                      {.lane = 0, .view = 7, .a = position, .b = position + 1400, .c = position});
    position += 1400;
    benchmark::ClobberMemory();
  }
  recorder->reset();
  std::filesystem::remove_all(directory);
}
BENCHMARK(note);

void stamp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ticks_now());
}
BENCHMARK(stamp);

}  // namespace
}  // namespace phalanx::recorder

BENCHMARK_MAIN();
