#pragma once

#include <phalanx/map.h>
#include <sys/types.h>

#include "ipc/base/time_ns.h"

namespace phalanx::client::sam {

/// What a supervisor says of its instance in the configuration map of its host, under the names
/// that Corosync's SAM has: resources.process.PID.{recovery,poll_period,last_updated,state}. Goes
/// on without a daemon: it is told when one is there, at the next change. Each change waits for the
/// daemon, kTimeoutMs at most. One thread.
class MapNote {
 public:
  explicit MapNote(bool wanted) noexcept : wanted_(wanted) {}

  struct Instance {
    const char* daemons = nullptr;  ///< Which Phalanx of this host; NULL: the default.
    pid_t pid = 0;
    const char* recovery = "";  ///< "quit" or "restart".
    int interval_ms = 0;
  };
  /// `state`: "stopped", "running", "waiting for quorum" or "failed".
  void say(const Instance& instance, const char* state, TimeNs now) noexcept;
  /// A health check came: last_updated, once a second at most.
  void renew(const Instance& instance, TimeNs now) noexcept;
  /// The instance is gone, and its keys with it.
  void forget(pid_t pid) noexcept;

 private:
  [[nodiscard]] bool open(const Instance& instance, TimeNs now) noexcept;
  void close() noexcept;
  [[nodiscard]] bool set(pid_t pid, const char* name, phx_map_type type, const void* data,
                         std::size_t bytes) noexcept;

  const bool wanted_;
  phx_map map_ = 0;
  TimeNs next_try_ = 0;
  TimeNs renew_at_ = 0;
};

}  // namespace phalanx::client::sam
