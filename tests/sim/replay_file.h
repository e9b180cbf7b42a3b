#pragma once

#include <string>

namespace phalanx::sim {

/// Replays the membership of a real node from what `phalanx recorder save` wrote, step by step, and
/// says whether it decides the same. Returns the exit code: 0 it does, 1 it does not or nothing of
/// the file is sound, 2 the file cannot be read.
int replay_file(const std::string& path, bool json);

}  // namespace phalanx::sim
