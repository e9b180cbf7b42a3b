#pragma once

#include <sys/types.h>

#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"
#include "ipc/client/sam/map_note.h"
#include "ipc/client/sam/quorum_watch.h"
#include "ipc/client/sam/signals.h"
#include "ipc/client/sam/state.h"

namespace phalanx::client::sam {

/// Forks instances, watches them, and ends the process with the last one. One thread, which sleeps
/// in ppoll() over the signals' descriptor and the instance's socket.
///
/// The instance is reaped only in take_signals(), so its pid cannot belong to another process
/// while it is watched, and kill() needs no pidfd.
class Supervisor {
 public:
  explicit Supervisor(Sam& sam) noexcept
      : sam_(sam), note_((sam.options.flags & PHX_SAM_WITH_MAP) != 0) {}

  /// Returns PHX_OK in each instance, an error when there was no first one; else never.
  [[nodiscard]] phx_status run() noexcept;

  /// Of the last fork: 1, 2, 3 ...
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

 private:
  enum class Fork : std::uint8_t { Failed, Parent, Instance };
  enum class Phase : std::uint8_t { Running, Warned, Killed };

  [[nodiscard]] Fork fork_instance() noexcept;
  void become_instance(int socket) noexcept;
  void watch() noexcept;
  /// False: there will be no other instance.
  [[nodiscard]] bool wait_for_next(int delay_ms) noexcept;
  [[nodiscard]] int next_delay_ms() noexcept;

  void sleep_until(TimeNs deadline) const noexcept;
  [[nodiscard]] TimeNs next_deadline() const noexcept;
  void take_signals(TimeNs now) noexcept;
  void reap() noexcept;
  void pass_on(Signals::Taken signal, TimeNs now) noexcept;
  void take_messages(TimeNs now) noexcept;
  void on_message(std::size_t bytes, TimeNs now) noexcept;
  void start(std::uint32_t number, TimeNs now) noexcept;
  void look_at_quorum(TimeNs now) noexcept;
  void judge(TimeNs now) noexcept;
  void warn(phx_sam_event why, TimeNs now) noexcept;
  void kill_instance(phx_sam_event why) noexcept;

  [[nodiscard]] int settle() noexcept;
  void tell(phx_sam_event event, int restart_ms = -1) const noexcept;
  void note(const char* state, TimeNs now) noexcept;
  [[nodiscard]] MapNote::Instance noted() const noexcept;
  [[nodiscard]] TimeNs interval() const noexcept;
  [[nodiscard]] TimeNs grace() const noexcept;  ///< Between the warning and SIGKILL.
  [[nodiscard]] bool is_quorum_bound() const noexcept;

  Sam& sam_;
  Signals signals_;

  // Of the instance that runs, or ran last.
  std::uint32_t number_ = 0;
  pid_t pid_ = 0;
  Fd socket_;
  Phase phase_ = Phase::Running;
  bool reaped_ = false;
  std::uint32_t waiting_ = 0;  ///< Its start that waits for quorum; 0: none.
  bool checked_ = false;       ///< Between start and stop.
  bool finalized_ = false;     ///< It asked to be left alone.
  bool failed_ = false;
  int wait_status_ = 0;
  TimeNs born_ = 0;
  TimeNs deadline_ = kNever;  ///< Of the next health check, or of the warning.

  // Of all instances.
  QuorumWatch quorum_;
  MapNote note_;
  bool stopping_ = false;
  TimeNs stop_at_ = kNever;
  int exit_status_ = 1;
  int delay_ms_ = 0;  ///< The last one; 0: there was none, or all was well for long.

  struct Packet {
    Message message;
    char data[PHX_SAM_DATA_BYTES_MAX];
  };
  Packet packet_{};  ///< Too large to come and go on the stack with each message.
};

}  // namespace phalanx::client::sam
