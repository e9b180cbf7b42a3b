#pragma once

#include <cstdint>

#include "tests/sim/scenario.h"
#include "transport/sim/random.h"

namespace phalanx::sim {

/// A scenario in the making: what recipes add their faults to.
struct Draft {
  Scenario& s;
  transport::Random& random;
  bool nodes_given = false;  ///< By the command line: a recipe does not choose.

  NodeId any() { return static_cast<NodeId>(random.range(1, s.nodes)); }
  TimeNs when() { return random.range(s.faulty_until / 8, s.faulty_until * 7 / 8); }
  void step(Step step) { s.steps.push_back(step); }
  std::uint64_t times(std::uint64_t low, std::uint64_t high) { return random.range(low, high); }
};

// Faults of nodes: node_faults.cc. Those of links and clients are in recipes.cc.
void partition_merge(Draft& d);  // recipes.cc
void stall(Draft& d);
void stall_control(Draft& d);
void crash_restart(Draft& d);
void leave(Draft& d);
void crash_in_view_change(Draft& d);
void crash_control(Draft& d);
void old_state_file(Draft& d);
void flapping(Draft& d);
void join_storm(Draft& d);
void link_down(Draft& d);
void mute(Draft& d);
void clock_jump(Draft& d);
void crash_at_actions(Draft& d);
void crash_control_at_actions(Draft& d);
void representative_steps(Draft& d);
void many_nodes(Draft& d);
void vote_orders(Draft& d);
void rotate_keys(Draft& d);

}  // namespace phalanx::sim
