#pragma once

#include <phalanx/replica.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/cli/program.h"
#include "ipc/base/time_ns.h"

namespace phalanx::perf {

/// One bank that all have: the state that is measured. A thread of its own submits and dispatches.
class Bank {
 public:
  struct Options {
    cli::Instance instance;
    std::size_t accounts = 10'000;
    bool submits = true;
    double operations_per_s = 0;  ///< 0: as many as it takes.
  };

  explicit Bank(const Options& options);
  ~Bank();
  Bank(const Bank&) = delete;
  Bank& operator=(const Bank&) = delete;

  [[nodiscard]] phx_status opened() const noexcept { return opened_; }
  void pause(bool paused) noexcept { paused_ = paused; }

  // What the thread tells. Times are of monotonic_now().
  std::atomic<bool> live = false;
  std::atomic<TimeNs> opened_at = 0;
  std::atomic<TimeNs> live_at = 0;          ///< The last time that it became live.
  std::atomic<TimeNs> joined_nodes_at = 0;  ///< The last meeting of sides was seen.
  std::atomic<TimeNs> gap_max = 0;          ///< Longest time without an applied operation.
  std::atomic<std::uint64_t> operations = 0;
  std::atomic<std::uint64_t> digest = 0;
  std::atomic<std::uint64_t> pending = 0;
  std::atomic<std::uint64_t> merged = 0;
  std::atomic<std::uint64_t> members = 0;
  std::atomic<std::uint64_t> meetings = 0;

 private:
  void run(const std::stop_token& stop);
  void fill();
  void publish(TimeNs now);

  Options options_;
  phx_replica* replica_ = nullptr;
  phx_status opened_ = PHX_OK;
  std::vector<std::int64_t> balance_;
  std::uint64_t drawn_ = 1;
  double due_ = 0;
  TimeNs paced_at_ = 0;
  TimeNs applied_at_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t seen_ = 0;
  std::atomic<bool> paused_ = false;
  std::jthread thread_;
};

}  // namespace phalanx::perf
