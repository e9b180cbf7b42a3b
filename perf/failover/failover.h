#pragma once

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf failover`.
void add_failover(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
