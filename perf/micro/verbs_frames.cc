// verbs-frames send|gather|receive BURSTS: so many bursts of 32 frames through transport/verbs,
// over an adapter that does nothing (null_adapter.cc); prints how many frames that were. Counted by
// perf/instructions.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "transport/verbs/verbs_transport.h"

namespace phalanx::transport {
namespace {

constexpr std::size_t kBurst = 32;
constexpr std::size_t kFrameBytes = 900;  // As most are at a path MTU of 1024: not inline.

/// Symbols of their own, to be counted.
[[gnu::noinline]] void send_burst(Transport& wire) {
  std::array<TxFrame, kBurst> frames;
  const std::size_t count = wire.tx_alloc(frames);
  for (TxFrame& frame : std::span(frames).first(count)) frame.length = kFrameBytes;
  wire.tx_burst(std::span(frames).first(count));
}

[[gnu::noinline]] void gather_burst(Transport& wire, std::span<const std::byte> payload) {
  std::array<TxFrame, kBurst> frames;
  const std::size_t count = wire.tx_alloc(frames);
  for (TxFrame& frame : std::span(frames).first(count)) {
    frame.length = kFrameBytes;
    frame.gathered_at = 32;
    frame.gathered = payload;
  }
  wire.tx_burst(std::span(frames).first(count));
}

[[gnu::noinline]] void receive_burst(Transport& wire) {
  std::array<RxFrame, kBurst> frames;
  const std::size_t count = wire.rx_burst(frames);
  wire.rx_release(std::span(frames).first(count));
}

int run(std::string_view what, unsigned long bursts) {
  static std::array<std::byte, 4096> log;
  static std::array<std::byte, 4096> stream;
  auto opened = verbs::open({.self = 1,
                             .nodes = {{1, "10.0.0.1"}, {2, "10.0.0.2"}},
                             .group = "239.77.0.1",
                             .depth = 256,
                             .gathers = true});
  if (!opened) {
    std::fputs(opened.error().text().c_str(), stderr);
    return EXIT_FAILURE;
  }
  Transport& wire = **opened;
  const std::array<std::span<const std::byte>, 2> memory = {log, stream};
  if (wire.lend_memory(memory) != true) return EXIT_FAILURE;
  const auto payload = std::span<const std::byte>(log).first(kFrameBytes - 48);
  for (unsigned long i = 0; i < bursts; ++i) {
    if (what == "send") send_burst(wire);
    if (what == "gather") gather_burst(wire, payload);
    if (what == "receive") receive_burst(wire);
  }
  const TransportCounters counters = wire.counters();
  const std::uint64_t frames = what == "receive" ? counters.rx_frames : counters.tx_frames;
  std::printf("%llu\n", static_cast<unsigned long long>(frames));
  return frames == bursts * kBurst ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace phalanx::transport

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return phalanx::transport::run(argv[1], std::strtoul(argv[2], nullptr, 10));
}
