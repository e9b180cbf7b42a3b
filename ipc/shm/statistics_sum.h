#pragma once

#include <cstdint>

#include "ipc/shm/statistics_memory.h"

namespace phalanx::shm {

/// What all workers of a data plane show, taken together: what one worker of all the lanes would.
/// Lane l is worker (l mod workers)'s. Any thread of any process. False: as of one worker, or there
/// is no memory for a second one's tables.
///
/// Of a status: the view and what belongs to it are those of the worker with the oldest one, so
/// that a view is installed when all have it; `written_at`, `heard` and `progressed` the least;
/// gaps the longest; a thing that is true of one worker only (frozen) is true; `recovered` must be
/// true of all; clients and what one worker tells for all (quorate, recovering) are the first
/// one's.
[[nodiscard]] bool read_status(const StatisticsMemory& from, WorkerStatus& out) noexcept;
/// Groups of all, as far as there are rows; of a client one row, with the fullest of its rings.
[[nodiscard]] bool read_tables(const StatisticsMemory& from, StatisticsTables& out) noexcept;
/// The sum.
[[nodiscard]] std::uint64_t read_counter(const StatisticsMemory& from, Counter counter) noexcept;

/// Adds the status of the worker that comes after those in `sum` already: `worker` from 1. For
/// tests, too.
void add_status(WorkerStatus& sum, const WorkerStatus& more, std::size_t worker,
                std::size_t workers) noexcept;
void add_tables(StatisticsTables& sum, const StatisticsTables& more) noexcept;

}  // namespace phalanx::shm
