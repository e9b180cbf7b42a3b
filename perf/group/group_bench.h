#pragma once

#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf group`: rate and latency of a whole cluster.
void add_group(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
