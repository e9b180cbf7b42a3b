#include "perf/failover/fault.h"

#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace phalanx::perf {
namespace {

using cli::DemoCluster;
using Result = Expected<void, Error>;

Result send_to(pid_t process, int signal) {
  if (process > 0 && kill(process, signal) == 0) return {};
  return fail(system_error("cannot send a signal to a daemon of the last node", "kill", errno));
}

Result kill_data_plane(DemoCluster&, const Processes& last) {
  return send_to(last.data_plane, SIGKILL);
}

Result kill_node(DemoCluster&, const Processes& last) {
  if (auto done = send_to(last.control_plane, SIGKILL); !done) return done;
  return send_to(last.data_plane, SIGKILL);
}

Result start_node(DemoCluster& cluster) {
  const std::size_t last = cluster.size();
  while (waitpid(cluster.controlplane(last), nullptr, 0) < 0 && errno == EINTR) {
  }
  return cluster.start_node(last);
}

Result leave(DemoCluster&, const Processes& last) { return send_to(last.control_plane, SIGTERM); }

Result stop_data_plane(DemoCluster&, const Processes& last) {
  return send_to(last.data_plane, SIGSTOP);
}

Result continue_data_plane(DemoCluster& cluster) {
  return send_to(cluster.dataplane(cluster.size()), SIGCONT);
}

Result link_down(DemoCluster& cluster, const Processes&) {
  return cluster.network().set_link(cluster.size(), false);
}
Result link_up(DemoCluster& cluster) { return cluster.network().set_link(cluster.size(), true); }
Result part(DemoCluster& cluster, const Processes&) {
  return cluster.network().set_bridged(cluster.size(), false);
}
Result heal(DemoCluster& cluster) { return cluster.network().set_bridged(cluster.size(), true); }

constexpr std::array kFaults{
    Fault{"kill-dataplane", "SIGKILL of a data plane", false, true, kill_data_plane, nullptr,
          nullptr},
    Fault{"kill-node", "SIGKILL of both processes of a node", false, true, kill_node, start_node,
          "join"},
    Fault{"link-down", "its cable is pulled: data and management", true, false, link_down, link_up,
          "link-up"},
    Fault{"stop-dataplane", "SIGSTOP of a data plane, control plane alive", false, false,
          stop_data_plane, continue_data_plane, nullptr},
    Fault{"leave", "orderly leave: SIGTERM to its control plane", false, false, leave, start_node,
          "join"},
    Fault{"partition", "cut off from the others, carrier kept", true, false, part, heal, "heal"},
};

}  // namespace

std::span<const Fault> faults() { return kFaults; }

const Fault* find_fault(const std::string& name) {
  for (const Fault& fault : kFaults) {
    if (name == fault.name) return &fault;
  }
  return nullptr;
}

}  // namespace phalanx::perf
