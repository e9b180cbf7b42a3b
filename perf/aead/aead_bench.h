#pragma once

#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// `phalanx-perf aead`: what sealing and opening a frame cost.
void add_aead(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
