// Times that a reload changes, in the middle of a view.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/membership_rules/script.h"

namespace phalanx::membership {
namespace {

using namespace script;

constexpr TimeNs kT = 100 * kMillisecond;

/// Node 1 in a view of all three, of which node 3 falls silent at `kT`.
struct Silence {
  Membership machine{config_of(1), 0};
  ViewId view = install_first_view(machine, 1);

  Silence() { (void)machine.on_vouch(3, kT); }  // Its control plane spoke, too, until then.

  /// When node 3 is no longer heard, after its last word; kNever when that takes over ten seconds.
  TimeNs detected() {
    for (TimeNs now = kT; now < kT + 10 * kSecond; now += kMillisecond) {
      const std::vector<PeerSeen> seen = {{.node = 2, .heard = now, .progressed = now},
                                          {.node = 3, .heard = kT, .progressed = kT}};
      (void)machine.on_seen(seen, now);
      (void)machine.on_time(now);
      if (machine.heard() == nodes({2})) return now - kT;
    }
    return kNever;
  }
};

constexpr Times times_of(TimeNs dead_after) {
  return {.dead_after = dead_after,
          .stall_after = 10 * dead_after,
          .hold_min = 50 * kMillisecond,
          .hold_max = 5 * kSecond};
}

TEST(Retime, JudgesByTheNewTimesAtOnce) {
  for (const TimeNs dead_after : {20 * kMillisecond, 200 * kMillisecond, 2 * kSecond}) {
    Silence silence;
    const TimeNs grace = std::max(dead_after, config_of(1).dead_after);
    (void)silence.machine.retime(times_of(dead_after), kT);

    const TimeNs took = silence.detected();

    EXPECT_GE(took, grace);
    EXPECT_LE(took, grace + 2 * kMillisecond);
  }
}

// In a calm view rows, hellos and vouches are as old as the longer time allows.
TEST(Retime, ShorterTimesAccuseNobodyWhoWasInTime) {
  Silence silence;
  const TimeNs later = kT + 40 * kMillisecond;
  std::vector<PeerSeen> seen;
  for (TimeNs now = kT - 50 * kMillisecond; now <= kT; now += kMillisecond) {
    seen = {{.node = 2, .heard = now, .progressed = now},
            {.node = 3, .heard = now, .progressed = now}};
    (void)silence.machine.on_seen(seen, now);
  }
  (void)silence.machine.on_vouch(2, kT);
  for (TimeNs now = kT; now < later; now += kMillisecond) (void)silence.machine.on_time(now);

  const Actions actions = silence.machine.retime(times_of(20 * kMillisecond), later);
  const Actions then = silence.machine.on_time(later + kMillisecond);

  EXPECT_FALSE(actions.freeze || then.freeze);
  EXPECT_EQ(silence.machine.heard(), nodes({2, 3}));
}

TEST(Retime, IsNoViewChange) {
  Silence silence;

  const Actions actions = silence.machine.retime(times_of(kSecond), kT);

  EXPECT_EQ(silence.machine.view(), silence.view);
  EXPECT_EQ(silence.machine.state(), State::Operational);
  EXPECT_FALSE(actions.freeze);
}

}  // namespace
}  // namespace phalanx::membership
