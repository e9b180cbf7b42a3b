#pragma once

#include <csignal>

namespace phalanx::client::sam {

/// The signals of a supervisor: all are blocked, those it handles come through a descriptor.
/// Only the job control signals keep their effect, so that Ctrl-Z stops it together with its
/// instance.
class Signals {
 public:
  /// Blocks them; false without descriptors. Before the first fork, so that none is lost.
  [[nodiscard]] bool open() noexcept;
  /// Gives the process back what it had: in an instance, or when there was no fork after all.
  void restore() noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// The next signal that waits: its number, 0 when there is none.
  struct Taken {
    int number;
    bool by_terminal;  ///< Sent by the kernel, so to the whole foreground process group.
  };
  [[nodiscard]] Taken take() const noexcept;

 private:
  int fd_ = -1;
  sigset_t mask_before_{};
  struct sigaction child_before_ {};
};

[[nodiscard]] bool is_stop_signal(int number) noexcept;

}  // namespace phalanx::client::sam
