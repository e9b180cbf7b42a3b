#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "controlplane/cli/demo/cluster.h"
#include "controlplane/cli/demo/crew.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"

namespace phalanx::perf {

/// The daemons of the last node, looked up before the clock starts.
struct Processes {
  pid_t data_plane = 0;
  pid_t control_plane = 0;
};

/// One way to lose a node, and to get it back.
struct Fault {
  const char* name;
  const char* told;       ///< What is done, for people.
  bool needs_namespaces;  ///< Cuts a cable of the demo's network.
  bool often;             ///< A kill: 200 of them are asked for, 20 of the rest.
  /// Each takes the last node; a node that comes back by itself has no `mend`.
  Expected<void, Error> (*inject)(cli::DemoCluster& cluster, const Processes& last);
  Expected<void, Error> (*mend)(cli::DemoCluster& cluster);
  const char* mended;  ///< Name of the time from `mend` to the view of all; null: not told.
};

[[nodiscard]] std::span<const Fault> faults();
/// nullptr: there is no such fault.
[[nodiscard]] const Fault* find_fault(const std::string& name);

}  // namespace phalanx::perf
