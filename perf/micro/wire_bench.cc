// What one frame costs to seal, to check and to open, by cipher and payload size.
#include <benchmark/benchmark.h>

#include <vector>

#include "transport/wire/frame_seal.h"

namespace phalanx::wire {
namespace {

constexpr std::size_t kSealedAhead = 1024;  // Fits the replay window and the second-level cache.

struct Node {
  Node(Cipher cipher, const Member& self, const std::vector<Member>& members)
      : keys({.cipher = cipher, .self = self, .lanes = 1, .nodes = {1, 2}},
             insecure_cluster_key("bench")),
        sealer(keys),
        opener(keys) {
    keys.install({1, 1, members[0].boot}, members);
  }
  KeyTable keys;
  FrameSealer sealer;
  FrameOpener opener;
};

struct Pair {
  explicit Pair(Cipher cipher)
      : members{{1, BootId{{1}}}, {2, BootId{{2}}}},
        one(cipher, members[0], members),
        two(cipher, members[1], members) {}
  std::vector<Member> members;
  Node one;
  Node two;
};

bool prepare(benchmark::State& state, Cipher& cipher) {
  cipher = static_cast<Cipher>(state.range(0));
  state.SetLabel(std::string(to_string(cipher)));
  if (available(cipher)) return true;
  state.SkipWithError("not built in, or no such processor");
  return false;
}

void seal(benchmark::State& state) {
  Cipher cipher;
  if (!prepare(state, cipher)) return;
  Pair pair(cipher);
  const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(1)), std::byte{7});
  std::vector<std::byte> frame(payload.size() + kOverheadBytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(pair.one.sealer.seal_data(FrameType::Ordered, 0, 0, payload, frame));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void check_and_open(benchmark::State& state) {
  Cipher cipher;
  if (!prepare(state, cipher)) return;
  Pair pair(cipher);
  const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(1)), std::byte{7});
  std::vector<std::vector<std::byte>> frames(kSealedAhead);
  std::vector<std::byte> opened(payload.size());
  std::size_t next = kSealedAhead;
  for (auto _ : state) {
    if (next == kSealedAhead) {
      state.PauseTiming();
      for (auto& frame : frames) {
        frame.resize(payload.size() + kOverheadBytes);
        (void)pair.one.sealer.seal_data(FrameType::Ordered, 0, 0, payload, frame);
      }
      next = 0;
      state.ResumeTiming();
    }
    CheckedFrame checked = pair.two.opener.check(frames[next++]);
    if (checked.verdict != FrameVerdict::Good || !pair.two.opener.open(checked, opened.data())) {
      state.SkipWithError("a frame did not open");
      return;
    }
    benchmark::DoNotOptimize(opened.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void by_cipher_and_size(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"cipher", "bytes"})->ArgsProduct({{0, 1, 2}, {64, 1424, 8876}});
}

BENCHMARK(seal)->Apply(by_cipher_and_size);
BENCHMARK(check_and_open)->Apply(by_cipher_and_size);

}  // namespace
}  // namespace phalanx::wire

BENCHMARK_MAIN();
