#pragma once

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf calm`.
void add_calm(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
