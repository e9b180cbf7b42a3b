#pragma once

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf replica`.
void add_replica_bench(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
