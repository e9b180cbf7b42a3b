#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "controlplane/daemon/event_loop.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// Keeps a phalanx-metrics running: starts it, and again when it ends, ever more rarely while it
/// does not last. Nothing else of the control plane depends on it. One thread.
class MetricsProcess {
 public:
  static constexpr TimeNs kBackOffMin = kSecond;
  static constexpr TimeNs kBackOffMax = 30 * kSecond;
  /// One that lived so long may be started again at once.
  static constexpr TimeNs kHealthyAfter = 10 * kSecond;

  MetricsProcess(EventLoop& loop, std::string program, std::vector<std::string> arguments);
  /// Ends it.
  ~MetricsProcess();

 private:
  void start();
  void on_exit();
  void again_later();

  EventLoop& loop_;
  std::string program_;
  std::vector<std::string> arguments_;
  Timer retry_;
  TimeNs back_off_ = kBackOffMin;
  TimeNs started_at_ = 0;
  pid_t child_ = -1;
  Fd process_;
  Watch watch_;
};

/// "phalanx-metrics" beside our own program, or in the neighbouring folder of a build tree.
[[nodiscard]] std::string find_metrics();

}  // namespace phalanx::controlplane
