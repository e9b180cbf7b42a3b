#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"
#include "ipc/base/standard_fds.h"
#include "perf/aead/aead_bench.h"
#include "perf/core/core_perf.h"
#include "perf/failover/calm.h"
#include "perf/failover/failover.h"
#include "perf/group/group_bench.h"
#include "perf/harness/environment.h"
#include "perf/idle/idle_bench.h"
#include "perf/ipc/ipc_bench.h"
#include "perf/map/map_bench.h"
#include "perf/replica/replica_bench.h"
#include "perf/ring/ring_bench.h"
#include "perf/wire/wire_bench.h"

int main(int argc, char** argv) {
  using namespace phalanx;
  occupy_standard_fds();
  cli::Globals globals;
  cli::Arguments arguments("Measure clusters, and the wires below them.", "phalanx-perf",
                           PHALANX_RELEASE);
  cli::Command& root = arguments.root();
  root.flag("--json", globals.json, "Print one JSON object");
  perf::add_aead(root, globals);
  perf::add_calm(root, globals);
  perf::add_core(root, globals);
  perf::add_environment(root, globals);
  perf::add_failover(root, globals);
  perf::add_group(root, globals);
  perf::add_idle(root, globals);
  perf::add_ipc_bench(root, globals);
  perf::add_map_bench(root, globals);
  perf::add_replica_bench(root, globals);
  perf::add_ring(root, globals);
  perf::add_wire_bench(root, globals);
  return static_cast<int>(cli::after_output(arguments.run(argc, argv)));
}
