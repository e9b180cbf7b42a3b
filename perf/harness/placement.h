#pragma once

#include <sys/types.h>

#include <cstddef>

namespace phalanx::perf {

/// Binds the calling thread to the n-th processor that this process may use, counted round; false:
/// it may not.
bool run_on(std::size_t n) noexcept;

/// Likewise all threads that a process has now: a data plane's worker is not its first.
bool bind_process(pid_t pid, std::size_t n);

}  // namespace phalanx::perf
