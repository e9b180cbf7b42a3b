// What goes wrong with nodes: they stall, die, leave, lose their link, do not answer.

#include <array>

#include "tests/sim/draft.h"

namespace phalanx::sim {
namespace {

/// Another fault beside it, so that the view has more reasons to change.
void something_else(Draft& d) {
  constexpr std::array kOthers{crash_restart, crash_in_view_change, crash_control, stall, leave};
  if (d.random.percent(30))
    d.s.faults.drop_ppm = static_cast<std::uint32_t>(d.random.below(200'000));
  kOthers[d.random.below(kOthers.size())](d);
}

}  // namespace

void stall(Draft& d) {
  for (std::uint64_t n = d.times(1, 3); n > 0; --n) {
    const TimeNs span = d.random.percent(50) ? d.random.range(1, 60) : d.random.range(60, 900);
    d.step(
        {.at = d.when(), .kind = Step::Kind::Stall, .node = d.any(), .span = span * kMillisecond});
  }
}
void stall_control(Draft& d) {
  d.step({.at = d.when(),
          .kind = Step::Kind::StallControl,
          .node = d.any(),
          .span = d.random.range(1, 1'500) * kMillisecond});
}
void crash_restart(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = d.random.percent(50) ? Step::Kind::Kill : Step::Kind::KillData,
            .node = d.any(),
            .span = d.random.range(0, 150) * kMillisecond});
  }
}
/// Nodes that leave in order; an orderly leave is a death that is announced.
void leave(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = Step::Kind::Leave,
            .node = d.any(),
            .span = d.random.range(1, 200) * kMillisecond});
  }
}
/// One fault starts a view change; others fall at random times within it. The first kill is always
/// of a node that others hold on to; the lowest, the representative, is hit often.
void crash_in_view_change(Draft& d) {
  for (std::uint64_t n = d.times(1, 3); n > 0; --n) {
    const TimeNs at = d.when();
    d.step({.at = at,
            .kind = Step::Kind::KillData,
            .node = d.any(),
            .span = d.random.range(1, 60) * kMillisecond});
    for (std::uint64_t more = d.times(1, 3); more > 0; --more) {
      const TimeNs after = d.random.percent(50) ? d.random.below(2 * kMillisecond)
                                                : d.random.below(80 * kMillisecond);
      const NodeId whom = d.random.percent(40) ? 1 : d.any();
      d.step({.at = at + after,
              .kind = d.random.percent(70) ? Step::Kind::KillData : Step::Kind::Kill,
              .node = whom,
              .span = d.random.range(1, 100) * kMillisecond});
    }
  }
}
void crash_control(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    const TimeNs at = d.when();
    if (d.random.percent(60)) {
      d.step({.at = at,
              .kind = Step::Kind::KillData,
              .node = d.any(),
              .span = d.random.range(1, 60) * kMillisecond});
    }
    d.step({.at = at + d.random.below(3 * kMillisecond),
            .kind = Step::Kind::KillControl,
            .node = d.any(),
            .span = d.random.percent(80) ? d.random.below(30 * kMillisecond)
                                         : d.random.below(1'500 * kMillisecond)});
  }
}
void old_state_file(Draft& d) {
  for (std::uint64_t n = d.times(1, 3); n > 0; --n) {
    const NodeId node = d.any();
    const TimeNs at = d.when();
    const TimeNs span = d.random.range(1, 150) * kMillisecond;
    d.step({.at = at, .kind = Step::Kind::Kill, .node = node, .span = span});
    d.step({.at = at + span / 2, .kind = Step::Kind::LoseDisk, .node = node});
  }
}
void flapping(Draft& d) {
  const NodeId node = d.any();
  TimeNs at = d.s.faulty_until / 8;
  while (at < d.s.faulty_until * 7 / 8) {
    const TimeNs span = d.random.range(1, 40) * kMillisecond;
    d.step({.at = at, .kind = Step::Kind::KillData, .node = node, .span = span});
    at += span + d.random.range(1, 120) * kMillisecond;
  }
}
/// All but one start within a moment of each other, again and again.
void join_storm(Draft& d) {
  const TimeNs at = d.when();
  for (NodeId node = 1; node <= d.s.nodes; ++node) {
    if (d.random.percent(70)) {
      d.step({.at = at + d.random.below(5 * kMillisecond),
              .kind = Step::Kind::Kill,
              .node = node,
              .span = d.random.range(1, 30) * kMillisecond});
    }
  }
}
/// Cables that are pulled at their nodes, which notice and say so.
void link_down(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = Step::Kind::LinkDown,
            .node = d.any(),
            .span = d.random.range(1, 200) * kMillisecond});
  }
  something_else(d);
}

/// A node that speaks but does not answer, beside another reason to change the view.
void mute(Draft& d) {
  for (std::uint64_t n = d.times(1, 2); n > 0; --n) {
    d.step(
        {.at = d.when(),
         .kind = Step::Kind::Mute,
         .node = d.any(),
         .mask = d.random.range(1, kMutePrepare | kMuteFreeze | kMuteRecovery | kRefuseRecovery)});
  }
  d.step({.at = d.s.faulty_until - kMillisecond,
          .kind = Step::Kind::KillData,
          .node = d.any(),
          .span = 20 * kMillisecond});
  something_else(d);
}

/// Hosts that were suspended, or whose clock was set: all timers of a node are due at once.
void clock_jump(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    d.step({.at = d.when(),
            .kind = Step::Kind::ClockJump,
            .node = d.any(),
            .span = d.random.range(1, 2'000) * kMillisecond});
  }
  if (d.random.percent(50)) something_else(d);
}

/// Whatever a node's processes tell each other next may be the last that its data plane does.
void crash_at_actions(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    const TimeNs at = d.when();
    d.step({.at = at,
            .kind = Step::Kind::KillAtAction,
            .node = d.any(),
            .mask = d.random.range(1, 40),
            .span = d.random.range(1, 100) * kMillisecond});
    if (d.random.percent(70)) {
      d.step({.at = at + d.random.below(kMillisecond),
              .kind = Step::Kind::KillData,
              .node = d.any(),
              .span = d.random.range(1, 100) * kMillisecond});
    }
  }
}

/// Control planes die between any two actions of a view change, and go on from their snapshot.
void crash_control_at_actions(Draft& d) {
  for (std::uint64_t n = d.times(1, 4); n > 0; --n) {
    const TimeNs at = d.when();
    d.step({.at = at,
            .kind = Step::Kind::KillControlAtAction,
            .node = d.any(),
            .mask = d.random.range(1, 40),
            .span = d.random.percent(80) ? d.random.below(30 * kMillisecond)
                                         : d.random.below(1'500 * kMillisecond)});
    d.step({.at = at + 1,
            .kind = Step::Kind::KillData,
            .node = d.any(),
            .span = d.random.range(1, 60) * kMillisecond});
  }
}

/// The lowest node leads; it dies after the first, second ... thing that the change makes it do.
void representative_steps(Draft& d) {
  TimeNs at = d.s.faulty_until / 8;
  std::uint64_t step = d.random.range(1, 4);
  while (at < d.s.faulty_until * 7 / 8) {
    const NodeId starts_it = static_cast<NodeId>(d.random.range(1, d.s.nodes));
    const NodeId leads = starts_it == 1 && d.s.nodes > 1 ? 2 : 1;
    d.step({.at = at,
            .kind = Step::Kind::KillAtAction,
            .node = leads,
            .mask = step,
            .span = d.random.range(1, 60) * kMillisecond});
    d.step({.at = at + 1,
            .kind = Step::Kind::KillData,
            .node = starts_it,
            .span = d.random.range(1, 60) * kMillisecond});
    step += d.random.range(1, 3);
    at += d.random.range(80, 160) * kMillisecond;
  }
}

/// Rows and hellos grow with the square of the nodes: few records, a short faulty part.
void many_nodes(Draft& d) {
  constexpr std::array<std::size_t, 3> kSizes{17, 33, 64};
  if (!d.nodes_given) d.s.nodes = kSizes[d.random.below(kSizes.size())];
  d.s.lanes = 1;
  d.s.faulty_until = 150 * kMillisecond;
  crash_restart(d);
  if (d.random.percent(50)) partition_merge(d);
}

/// Operators that change votes, at any node, often several at once, while views change.
void vote_orders(Draft& d) {
  for (std::uint64_t n = d.times(2, 10); n > 0; --n) {
    const TimeNs at = d.when();
    for (std::uint64_t same = d.times(1, 2); same > 0; --same) {
      d.step({.at = at,
              .kind = Step::Kind::VoteOrder,
              .node = d.any(),
              .mask = d.random.below(1024 * 1024)});
    }
  }
  if (d.random.percent(60)) partition_merge(d);
  if (d.random.percent(70)) something_else(d);
}

/// Operators that rotate the cluster key, at nodes in any order, while views change: some are told
/// of the second half, the others follow; who is down holds what its files say when it comes back.
void rotate_keys(Draft& d) {
  d.s.real_seals = true;
  TimeNs at = d.s.faulty_until / 16;
  for (std::uint64_t n = d.times(1, 3); n > 0; --n) {
    for (NodeId node = 1; node <= d.s.nodes; ++node) {
      d.step({.at = at + d.random.below(40 * kMillisecond),
              .kind = Step::Kind::HoldNextKey,
              .node = node});
    }
    at += 40 * kMillisecond;
    for (std::uint64_t told = d.times(1, 3); told > 0; --told) {
      d.step({.at = at + d.random.below(60 * kMillisecond),
              .kind = Step::Kind::GoOverToNextKey,
              .node = d.any()});
    }
    at += d.random.range(60, 160) * kMillisecond;
  }
  if (d.random.percent(30)) partition_merge(d);
  if (d.random.percent(30)) {  // Copies of frames from long ago, sealed with keys of long ago.
    d.s.faults.duplicate_ppm = static_cast<std::uint32_t>(d.random.range(20'000, 200'000));
    d.s.faults.reorder_delay = d.random.range(10, 400) * kMillisecond;
  }
  if (d.random.percent(80)) something_else(d);
}

}  // namespace phalanx::sim
