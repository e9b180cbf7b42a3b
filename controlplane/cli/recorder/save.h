#pragma once

#include <string>

#include "controlplane/cli/program.h"

namespace phalanx::cli {

/// Copies the tape of a node's membership to a new file, for phalanx-sim --replay-file. `from`
/// names a tape; empty: this node's.
ExitCode save_tape(const std::string& to, const std::string& from, const Globals& globals);

}  // namespace phalanx::cli
