#pragma once

#include <cstdint>

#include "controlplane/cli/program.h"
#include "perf/group/board.h"

namespace phalanx::perf {

/// A client of `phalanx-perf group`, in a process of its own: joins, does what the board says, and
/// returns when that says quit or nothing more can be done (slot `index` tells why).
void run_group_client(GroupBoard& board, std::uint32_t index, const cli::Instance& instance);

}  // namespace phalanx::perf
