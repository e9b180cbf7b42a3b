// verbs-frames send|receive BURSTS: so many bursts of 32 frames through transport/verbs, over an
// adapter that does nothing (null_adapter.cc); prints how many frames that were. Counted by
// perf/instructions.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

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

[[gnu::noinline]] void receive_burst(Transport& wire) {
  std::array<RxFrame, kBurst> frames;
  const std::size_t count = wire.rx_burst(frames);
  wire.rx_release(std::span(frames).first(count));
}

int run(bool sends, unsigned long bursts) {
  auto opened = verbs::open({.self = 1,
                             .nodes = {{1, "10.0.0.1"}, {2, "10.0.0.2"}},
                             .group = "239.77.0.1",
                             .depth = 256});
  if (!opened) {
    std::fputs(opened.error().text().c_str(), stderr);
    return EXIT_FAILURE;
  }
  Transport& wire = **opened;
  for (unsigned long i = 0; i < bursts; ++i) sends ? send_burst(wire) : receive_burst(wire);
  const TransportCounters counters = wire.counters();
  const std::uint64_t frames = sends ? counters.tx_frames : counters.rx_frames;
  std::printf("%llu\n", static_cast<unsigned long long>(frames));
  return frames == bursts * kBurst ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace phalanx::transport

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return phalanx::transport::run(std::strcmp(argv[1], "send") == 0,
                                 std::strtoul(argv[2], nullptr, 10));
}
