#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/statistics_memory.h"

namespace phalanx::watch {

/// What one look at watch.sock gives.
struct Seen {
  std::string status;                               ///< JSON; controlplane/daemon/README.md.
  std::optional<shm::StatisticsMemory> statistics;  ///< Empty: there is no data plane.
};

/// Asks the control plane whose sockets are in `directory`. Fails with NotRunning when nobody
/// listens there, Permission, TimeOut, or what the answer's "error" object says.
[[nodiscard]] Expected<Seen, Error> look(const std::string& directory,
                                         TimeNs patience = 2 * kSecond);

/// The text of a status, parsed. An Error when it is none.
[[nodiscard]] Expected<nlohmann::json, Error> parse_status(const std::string& text);

/// One moment of a data plane, read in shared memory: nobody is asked.
struct Sample {
  /// What one worker counts and shows.
  struct Worker {
    std::uint64_t counters[shm::kCounters] = {};
    shm::WorkerStatus status;
  };

  TimeNs taken_at = 0;
  // All workers taken together: ipc/shm/statistics_sum.h.
  std::uint64_t counters[shm::kCounters] = {};
  shm::WorkerStatus status;
  shm::StatisticsTables tables;
  std::vector<Worker> workers;  ///< Each by itself, where there are several; else empty.

  [[nodiscard]] std::uint64_t counter(shm::Counter counter) const noexcept {
    return counters[static_cast<std::size_t>(counter)];
  }
};

/// nullptr: the worker has shown nothing yet, writes it faster than it can be read, or there is no
/// memory. Large: on the heap.
[[nodiscard]] std::unique_ptr<Sample> take_sample(const shm::StatisticsMemory& from);

/// The worker shows itself every 10 ms at least: after so long it is dead or stopped.
inline constexpr TimeNs kSilentAfter = kSecond;

}  // namespace phalanx::watch
