#pragma once

#include <phalanx/phalanx.h>

#include <utility>

#include "ipc/base/time_ns.h"

namespace phalanx::client::sam {

/// What a supervisor knows of quorum: a client of the daemons that joins nothing. Without daemons,
/// data plane or view there is no quorum; it keeps on trying to attach. One thread, never blocks
/// for long.
class QuorumWatch {
 public:
  /// Attaches when it is time, and takes the views that wait.
  void step(const char* instance, TimeNs now) noexcept;
  [[nodiscard]] bool quorate() const noexcept { return quorate_; }
  /// Since the last call a view was not quorate, or there was none: also when it is well again.
  [[nodiscard]] bool take_lost() noexcept { return std::exchange(lost_, false); }
  /// Readable when there is something to take; -1: nothing before next_try().
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] TimeNs next_try() const noexcept { return fd_ >= 0 ? kNever : next_try_; }

 private:
  static void on_quorum(void* context, phx_handle handle, const phx_quorum_view* view);
  static void on_connection(void* context, phx_handle handle, const phx_connection* connection);
  void set(bool quorate) noexcept;

  phx_handle handle_ = 0;
  int fd_ = -1;
  bool quorate_ = false;
  bool lost_ = false;
  TimeNs next_try_ = 0;
};

}  // namespace phalanx::client::sam
