#include <signal.h>

#include <algorithm>

#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/demo/run.h"
#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

double milliseconds(TimeNs ns) { return static_cast<double>(ns) / 1e6; }

}  // namespace

/// When a client was told of the first view after `after` without that node; 0: not yet.
TimeNs DemoRun::view_without(std::size_t client, std::size_t node, TimeNs after) {
  const Sequence sequence = sequence_of(crew_.slot(client));
  for (const Checkpoint& point : sequence.checkpoints) {
    if (point.kind == Checkpoint::Kind::View && point.time_ns >= after &&
        (point.members >> node & 1) == 0) {
      return point.time_ns;
    }
  }
  return 0;
}

Expected<void, Error> DemoRun::kill_data_plane() {
  // At half speed queues are short: what is measured is the cluster, not a backlog.
  const double each = report_.rate_msgs_per_s / 2 / static_cast<double>(options_.senders);
  crew_.board().rate_per_s.store(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(each)));
  set_phase(Phase::Steady);
  if (auto done = wait(kSecond / 2, "half speed before the fault"); !done) return done;
  const std::size_t victim = cluster_.size();
  pid_t process = 0;
  // On a host under load /proc has been seen without it for a moment.
  const auto found = [&] { return (process = cluster_.dataplane(victim)) != 0; };
  if (auto done = wait_until("the data plane of " + node_name(victim), options_.patience(), found);
      !done)
    return done;
  std::vector<std::uint32_t> attaches;
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    attaches.push_back(crew_.slot(i).attaches.load(std::memory_order_acquire));
    rejoin_points_.push_back(crew_.slot(i).checkpoint_count.load(std::memory_order_acquire));
  }
  crew_.board().gap_round.fetch_add(1);
  if (auto done = wait(kSecond / 5, "half speed before the fault"); !done) return done;

  const TimeNs start = monotonic_now();
  kill(process, SIGKILL);
  victim_ = victim;
  show_step("killed the data plane of " + node_name(victim) + " (process " +
            std::to_string(process) + ")");

  TimeNs view = 0;
  const auto all_survivors_have_it = [&] {
    view = 0;
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      if (is_victim(i)) continue;
      const TimeNs at = view_without(i, victim, start);
      if (at == 0) return false;
      view = std::max(view, at);
    }
    return true;
  };
  if (auto done = wait_until("the survivors' new view", options_.patience(), all_survivors_have_it);
      !done)
    return done;
  show_step("new view at all survivors after " + fixed(milliseconds(view - start), 1) + " ms");

  TimeNs back = 0;
  const auto receives_again = [&] {
    back = 0;
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      if (!is_victim(i)) continue;
      ClientSlot& slot = crew_.slot(i);
      const TimeNs first = slot.first_after_attach_ns.load(std::memory_order_acquire);
      const bool again = slot.attaches.load(std::memory_order_acquire) > attaches[i] &&
                         first > start &&
                         slot.group_members.load(std::memory_order_acquire) == crew_.size();
      if (!again) return false;
      back = std::max(back, first);
    }
    return true;
  };
  if (auto done = wait_until("the node comes back", options_.patience(), receives_again); !done)
    return done;
  show_step(node_name(victim) + " receives again after " + fixed(milliseconds(back - start), 1) +
            " ms");
  if (auto done = wait(kSecond / 2, "half speed after the fault"); !done) return done;

  TimeNs gap = 0;
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    if (!is_victim(i)) gap = std::max(gap, crew_.slot(i).gap_ns.load(std::memory_order_acquire));
  }
  report_.faults.push_back({.kind = "kill-dataplane",
                            .node = victim,
                            .view_ms = milliseconds(view - start),
                            .gap_ms = milliseconds(gap),
                            .rejoin_ms = milliseconds(back - start)});
  return {};
}

}  // namespace phalanx::cli
