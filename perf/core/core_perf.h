#pragma once

#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf core`: what ordering alone costs.
void add_core(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
