#pragma once

#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf idle`: what a cluster costs that has nothing to do.
void add_idle(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
