#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ipc/base/error.h"

namespace phalanx::cli {

/// Runs `work` in a child and, however that ends (also by SIGKILL or a crash), ends every process
/// that came of it, also those that detached themselves, and removes `paths`. Returns its exit
/// code.
[[nodiscard]] ExitCode supervise(const std::function<ExitCode()>& work,
                                 const std::vector<std::string>& paths);

}  // namespace phalanx::cli
