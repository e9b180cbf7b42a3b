#include <gtest/gtest.h>

#include <array>
#include <span>

#include "tests/unit/steady_state/census.h"
#include "transport/verbs/verbs_transport.h"

namespace phalanx::testing {
namespace {

using transport::RxFrame;
using transport::Transport;
using transport::TxFrame;

constexpr std::size_t kBurst = 32;
constexpr std::size_t kFrameBytes = 900;

/// A burst out of buffers, one out of lent memory, and one in.
void turn(Transport& wire, std::span<const std::byte> lent) {
  std::array<TxFrame, kBurst> out;
  for (const bool gathers : {false, true}) {
    const std::size_t count = wire.tx_alloc(out);
    for (TxFrame& frame : std::span(out).first(count)) {
      frame.length = kFrameBytes;
      if (!gathers) continue;
      frame.gathered_at = 32;
      frame.gathered = lent.first(kFrameBytes - 48);
    }
    wire.tx_burst(std::span(out).first(count));
  }
  std::array<RxFrame, kBurst> in;
  wire.rx_release(std::span(in).first(wire.rx_burst(in)));
}

// Over an adapter that does nothing: what real ones do beneath these calls is their driver's, and
// Soft-RoCE enters the kernel for each. The port is asked every 20 ms, which is not the turn's.
TEST(SteadyStateOverVerbs, BurstsLeaveTheKernelAlone) {
  if (const char* why = why_no_census()) GTEST_SKIP() << why;
  static std::array<std::byte, 4096> log, stream;
  auto opened = transport::verbs::open({.self = 1,
                                        .nodes = {{1, "10.0.0.1"}, {2, "10.0.0.2"}},
                                        .group = "239.77.0.1",
                                        .depth = 256,
                                        .gathers = true});
  ASSERT_TRUE(opened) << opened.error().text();
  Transport& wire = **opened;
  const std::array<std::span<const std::byte>, 2> memory = {log, stream};
  ASSERT_EQ(wire.lend_memory(memory), true);
  constexpr std::size_t kWarm = 200, kRounds = 1000;
  for (std::size_t round = 0; round < kWarm; ++round) turn(wire, log);

  for (std::size_t round = 0; round < kRounds; ++round) {
    Count count;
    turn(wire, log);
    const Census seen = count.end();
    ASSERT_EQ(seen.allocations, 0U) << "round " << round;
    ASSERT_EQ(seen.locks, 0U) << "round " << round;
    ASSERT_EQ(seen.system_calls, 0U) << "round " << round << ", number " << seen.system_call;
  }

  EXPECT_EQ(wire.counters().tx_frames, 2 * (kWarm + kRounds) * kBurst);
  EXPECT_EQ(wire.counters().rx_frames, (kWarm + kRounds) * kBurst);
}

}  // namespace
}  // namespace phalanx::testing
