#pragma once

#include <nlohmann/json_fwd.hpp>

#include "controlplane/cli/program.h"

namespace phalanx::perf {

/// What a figure was taken on: kernel, processor, governor, cores, huge pages, versions, load,
/// and what a line of memory to another core, a switch of threads and a yield cost (host_cost.h).
/// What cannot be read is null.
[[nodiscard]] nlohmann::ordered_json environment();

/// `phalanx-perf environment`: prints that alone, for programs that measure by themselves.
void add_environment(cli::Command& root, const cli::Globals& globals);

}  // namespace phalanx::perf
