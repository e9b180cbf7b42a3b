#pragma once

#include <cstdint>

#include "controlplane/cli/program.h"

namespace phalanx::cli {

struct Board;

/// One client process of the demo: attaches, joins, then does what the board's phase says until it
/// says quit. Everything it finds goes to slot `index`.
[[nodiscard]] ExitCode run_demo_client(Board& board, std::uint32_t index, const Instance& instance);

}  // namespace phalanx::cli
