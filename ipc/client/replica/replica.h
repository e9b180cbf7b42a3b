#pragma once

#include <phalanx/replica.h>

#include "ipc/base/time_ns.h"
#include "ipc/replica/replica.h"

/// A replica of an application: the sans-I/O core, and the handle whose events drive it. One
/// thread at a time, so there is no lock.
struct phx_replica {
  phx_replica(const phx_replica_options& wanted, const phalanx::replica::Options& core,
              const phalanx::replica::Host& host) noexcept
      : options(wanted), replica(core, host) {}

  phx_replica_options options;
  phx_handle handle = 0;
  phx_group group = 0;
  phx_status refused = PHX_OK;
  bool rejoin = false;
  std::size_t members = 0;
  bool timing = false;  ///< A Stopwatch runs.
  std::uint64_t slow = 0;
  phalanx::replica::Replica replica;
};

namespace phalanx::client::replica {

[[nodiscard]] phalanx::replica::Host host_of(phx_replica* self, bool merges) noexcept;
[[nodiscard]] phx_callbacks callbacks_of() noexcept;
/// Whether its group is in the lane in whose order node views are told, as of the last attach; true
/// of a name that no group may have.
[[nodiscard]] bool is_in_first_lane(phx_handle handle, const phx_replica_options& options) noexcept;

/// Over an event or a callback: says so when that took longer than slow_ms. One within another says
/// nothing.
class Stopwatch {
 public:
  explicit Stopwatch(phx_replica& self) noexcept;
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  phx_replica& self_;
  TimeNs begin_;
  bool outer_;
};

}  // namespace phalanx::client::replica
