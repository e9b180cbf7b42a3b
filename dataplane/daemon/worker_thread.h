#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "config/config.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::dataplane {

/// What the first worker's thread is called, for ps and for other data planes of this host; those
/// of others have "-1", "-2" behind it.
inline constexpr const char* kWorkerThreadName = "phx-worker";

/// Whether the workers may run here as configured: not more of them than cores that this process
/// may use, each on one of these, without another process's worker there if ours never gives way,
/// and before other programs if it is to. Changes nothing. Cold; on the main thread, before
/// anything is opened.
[[nodiscard]] Expected<void, Error> check_worker_thread(const config::WorkerSection& worker);

/// The process whose worker is pinned to that core and no other, found in /proc.
[[nodiscard]] std::optional<int> worker_pinned_to(std::uint32_t cpu);

/// Names, pins and schedules the calling thread. False: it runs, but not so, although it was
/// checked.
[[nodiscard]] bool become_worker_thread(const config::WorkerSection& worker,
                                        std::size_t index = 0) noexcept;

}  // namespace phalanx::dataplane
