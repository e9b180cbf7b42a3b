#pragma once

#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf ring`: the ring between a client and its data plane, between two threads.
void add_ring(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
