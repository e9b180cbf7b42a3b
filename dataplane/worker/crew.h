#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "dataplane/worker/muster.h"
#include "ipc/shm/control_channel.h"

namespace phalanx::worker {

/// How the first worker of several leads the others: what the control plane orders goes to all of
/// them, through rings like the control plane's own, and one answer comes back for all. The control
/// plane speaks with one worker, however many there are. The first worker's thread only.
class Crew {
 public:
  /// `others`: of the workers from the second on, in their order. `control`: the first one's own
  /// end. All is borrowed.
  Crew(std::vector<shm::ControlOrders*> others, LaneId lanes, shm::ControlWorkerEnd& control)
      : others_(std::move(others)), control_(control), muster_(others_.size() + 1, lanes) {}

  /// The others are told. Only when it is not busy().
  void order(const shm::Command& command, const ViewId& attempt);
  /// An order has not reached all: one of them does not turn. No other may be given before.
  [[nodiscard]] bool busy() const noexcept { return unsent_.has_value(); }
  [[nodiscard]] bool recovered(const ViewId& attempt) const noexcept {
    return muster_.recovered(attempt);
  }

  /// The first worker's own answer.
  void answer(const shm::Event& event) { take(0, event); }
  /// Once a turn: those of the others.
  /// Returns how many there were.
  std::size_t turn();

  /// As ControlOrders, for all of them.
  [[nodiscard]] bool arm() noexcept;
  void disarm() noexcept;

 private:
  void send();
  void take(std::size_t worker, shm::Event event);

  std::vector<shm::ControlOrders*> others_;
  shm::ControlWorkerEnd& control_;
  Muster muster_;
  std::optional<shm::Command> unsent_;
  std::size_t next_ = 0;  ///< Of the others, whom it goes to.
};

}  // namespace phalanx::worker
