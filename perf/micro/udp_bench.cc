// Frames that one thread sends through the kernel to itself, burst by burst: sending and receiving.
#include <benchmark/benchmark.h>

#include "transport/udp/udp_transport.h"

namespace phalanx::transport::udp {
namespace {

std::unique_ptr<UdpTransport> open_node(NodeId self, bool segmentation) {
  auto opened = open({.self = self,
                      .local = {"127.0.0.1", 0},
                      .peers = {{1, {"127.0.0.1", 1}}, {2, {"127.0.0.1", 1}}},
                      .segmentation = segmentation});
  return opened ? std::move(*opened) : nullptr;
}

void burst(benchmark::State& state) {
  const bool segmentation = state.range(0) != 0;
  const auto length = static_cast<std::size_t>(state.range(1));
  auto sender = open_node(1, segmentation);
  auto receiver = open_node(2, segmentation);
  if (!sender || !receiver) return state.SkipWithError("cannot open the transports");
  sender->set_peer(2, receiver->local_address());

  constexpr std::size_t kBurst = 44;
  TxFrame out[kBurst];
  RxFrame in[kBurst];
  std::size_t got = 0;
  for (auto _ : state) {
    (void)sender->tx_alloc(out);
    for (TxFrame& frame : out) {
      frame.length = length;
      frame.to = {.kind = Destination::Kind::Peer, .peer = 2};
    }
    sender->tx_burst(out);
    while (const std::size_t taken = receiver->rx_burst(in)) {
      receiver->rx_release(std::span(in).first(taken));
      got += taken;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(got));
  state.SetBytesProcessed(static_cast<std::int64_t>(got * length));
}

BENCHMARK(burst)->ArgNames({"gso", "bytes"})->ArgsProduct({{0, 1}, {112, 1472}});

void empty_poll(benchmark::State& state) {
  auto receiver = open_node(2, true);
  if (!receiver) return state.SkipWithError("cannot open the transport");
  RxFrame in[32];
  for (auto _ : state) benchmark::DoNotOptimize(receiver->rx_burst(in));
}

BENCHMARK(empty_poll);

}  // namespace
}  // namespace phalanx::transport::udp

BENCHMARK_MAIN();
