// What the whole data path costs but for scheduling: N real workers in one thread, over kernel UDP
// on the loopback device, sealed, each with one client's rings. `items_per_second` is messages
// delivered at every node, in processor time of all nodes together, the clients' ring ends and the
// kernel's work included. Under `valgrind --tool=callgrind` the same loop counts instructions.
#include <benchmark/benchmark.h>

#include "perf/micro/bench_cluster.h"
#include "transport/udp/udp_transport.h"

namespace phalanx::bench {
namespace {

std::vector<std::unique_ptr<transport::Transport>> udp_wires(std::size_t nodes) {
  std::vector<std::unique_ptr<transport::udp::UdpTransport>> open;
  for (std::size_t index = 0; index < nodes; ++index) {
    transport::udp::UdpConfig udp{.self = member(index).node,
                                  .local = {.host = "127.0.0.1", .port = 0},
                                  .peers = {},
                                  .multicast = {},
                                  .mtu = 1500,
                                  .receive_buffer = 8 << 20};
    for (std::size_t i = 0; i < nodes; ++i) {
      udp.peers.push_back({.node = member(i).node, .endpoint = {.host = "127.0.0.1", .port = 1}});
    }
    open.push_back(transport::udp::open(udp).value());
  }
  for (auto& node : open) {
    for (std::size_t i = 0; i < nodes; ++i)
      node->set_peer(member(i).node, open[i]->local_address());
  }
  return {std::make_move_iterator(open.begin()), std::make_move_iterator(open.end())};
}

void path(benchmark::State& state) {
  Cluster cluster(udp_wires(static_cast<std::size_t>(state.range(0))),
                  static_cast<Keeps>(state.range(3)));
  const auto sender = static_cast<std::size_t>(state.range(1));
  const auto bytes = static_cast<std::uint32_t>(state.range(2));
  const std::uint64_t before = cluster.delivered(0);
  for (auto _ : state) cluster.flood(sender, bytes);
  for (int i = 0; i < 2000; ++i) cluster.turn(0, 0);
  const std::uint64_t messages = cluster.delivered(0) - before;
  PHX_CHECK(messages > 0);
  for (std::size_t i = 0; i < cluster.count(); ++i)
    PHX_CHECK(cluster.delivered(i) == cluster.delivered(0));
  state.SetItemsProcessed(static_cast<std::int64_t>(messages));
  static std::uint64_t all_runs = 0;  // The library runs the loop a few times to find its length.
  all_runs += messages;
  state.counters["messages_of_all_runs"] = static_cast<double>(all_runs);
}

BENCHMARK(path)
    ->ArgNames({"nodes", "sender", "bytes", "keeps"})
    ->Args({3, 0, 64, 0})
    ->Args({3, 0, 64, 1})
    ->Args({3, 0, 64, 2})
    ->Args({3, 1, 64, 1})
    ->Args({3, 0, 1400, 0})
    ->Args({3, 0, 1400, 1})
    ->Args({3, 0, 1400, 2})
    ->Args({3, 1, 1400, 1});

}  // namespace
}  // namespace phalanx::bench

BENCHMARK_MAIN();
