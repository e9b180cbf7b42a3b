#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/checkers/observer.h"
#include "tests/sim/memory_pool.h"
#include "tests/sim/node.h"
#include "tests/sim/scenario.h"
#include "tests/sim/trace.h"
#include "transport/sim/event_queue.h"
#include "transport/sim/sim_network.h"

namespace phalanx::sim {

/// What one history amounted to.
struct HistoryCounts {
  std::uint64_t frame_events = 0;
  std::uint64_t gathered = 0;  ///< Frames that were read when they arrived,
  std::uint64_t changed = 0;   ///< with other bytes than they were sent with.
  std::uint64_t delivered = 0;
  std::uint64_t submitted = 0;
  std::uint64_t views = 0;
  std::uint64_t turns = 0;
  TimeNs virtual_time = 0;
  TimeNs healed_after = 0;  ///< From the last fault to one view with everything delivered.
  std::uint64_t hash = 0;
  Observer::Coverage coverage;
  Replicated::Coverage replicated;
};

/// One history: nodes, wire, script and onlooker, stepped in virtual time. Throws Violation.
class Cluster {
 public:
  Cluster(const Scenario& scenario, MemoryPool& pool, Trace& trace);

  HistoryCounts run();

 private:
  enum class Wake : std::uint8_t { Node, Step, Vouch, Again };
  struct Later {
    Step::Kind kind;
    NodeId node;
    Member dead;
  };

  void run_until(TimeNs end);
  void step_to(TimeNs at);
  void turn(NodeId node);
  void schedule(NodeId node, TimeNs at);
  void apply(const Step& step);
  void restart(const Later& later);
  void tell_of_death(Member dead);
  void vouch();
  void set_own_link(NodeId node, bool up);
  void start(NodeId node);
  void heal();
  void hold_next_key(Node& node);
  void go_over_to_next_key(Node& node);
  void complete_rotation();
  /// With the links as they were left, until the views are what they allow: no heal before.
  void run_until_settled();
  [[nodiscard]] std::string unsettled();
  [[nodiscard]] bool linked(NodeId a, NodeId b);
  void calm_links(bool mend_cuts);
  void start_all();
  void run_until_quiet();
  /// Whom a mute node does not keep from a view of their own; then it speaks again.
  void run_until_others_go_on();
  [[nodiscard]] std::string others_wait() const;
  [[nodiscard]] bool has_mute_member(const core::Core& core) const;
  [[nodiscard]] std::string unfinished();
  /// Where nothing fails, no view follows the first one of all nodes.
  void check_innocence() const;
  void check_budget() const;
  void check_lanes(const core::Core& core) const;
  [[nodiscard]] HistoryCounts counts() const;

  const Scenario& scenario_;
  Trace& trace_;
  transport::Random random_;
  transport::SimNetwork network_;
  Observer observer_;
  Replicated replicated_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<TimeNs> scheduled_;  ///< By node: the one wake that counts.
  transport::EventQueue wakes_;
  std::vector<Later> later_;  ///< Restarts and the like, by number.
  TimeNs now_ = 0;
  TimeNs management_cut_until_ = 0;
  TimeNs healed_after_ = 0;
  bool healed_ = false;
  bool rotates_ = false;  ///< The cluster key was rotated, or begun to be.
};

}  // namespace phalanx::sim
