#pragma once

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf ipc`.
void add_ipc_bench(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
