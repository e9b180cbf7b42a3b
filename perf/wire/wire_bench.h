#pragma once

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf wire`.
void add_wire_bench(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
