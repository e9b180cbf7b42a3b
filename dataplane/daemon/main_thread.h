#pragma once

#include "config/config.h"
#include "dataplane/daemon/client_keeper.h"
#include "dataplane/daemon/data_plane.h"
#include "dataplane/daemon/log_lines.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::dataplane {

/// What the process does beside its workers: takes the control plane's connection, keeps clients,
/// rings sleepers, ends in good order on SIGTERM and SIGINT. Nothing here is on the path of a
/// message, but for the wake of a client that sleeps.
class MainThread {
 public:
  [[nodiscard]] static Expected<std::unique_ptr<MainThread>, Error> create(
      const config::Config& config, DataPlane& plane, LogLines& lines);
  /// Until a signal or the control plane says stop.
  void run();
  /// After the workers have ended.
  void say_goodbye() noexcept { clients_.say_goodbye(); }
  /// What waits for the log, to the control plane if there is one.
  void forward_lines() { lines_.forward(control_.get()); }

 private:
  MainThread(const config::Config& config, DataPlane& plane, LogLines& lines, Fd epoll, Fd signals);
  [[nodiscard]] bool arm() noexcept;
  void on_listener();
  void on_control();

  DataPlane& plane_;
  LogLines& lines_;
  Fd epoll_;
  Fd signals_;
  Fd control_;  ///< The control plane's connection; a new one takes its place.
  ClientKeeper clients_;
  bool stopping_ = false;
};

}  // namespace phalanx::dataplane
