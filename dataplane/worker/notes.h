#pragma once

#include <array>

#include "dataplane/core/core.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/control_channel.h"

namespace phalanx::worker {

/// What the flight recorder is told of the lanes from time to time, by comparing with the time
/// before: nothing of it costs a message anything. The worker's thread only.
class Notes {
 public:
  Notes(const core::LaneShare& share, core::Core& core, shm::ControlWorkerEnd& control,
        recorder::Recorder& recorder) noexcept
      : share_(share), core_(core), control_(control), recorder_(recorder) {}

  /// With every status that is published; `status` is what will be.
  void take(const shm::WorkerStatus& status, TimeNs now) noexcept;

 private:
  struct Lane {
    std::uint64_t view = 0;
    NodeId orderer = 0;
    bool barrier = false;
    Position received = 0;
    TimeNs noted_at = 0;
  };
  /// How much a counter grew since the last call for it.
  [[nodiscard]] std::uint64_t grown(shm::Counter counter) noexcept;
  void look_at_lane(LaneId id, const shm::LaneStatus& status, TimeNs now) noexcept;

  core::LaneShare share_;
  core::Core& core_;
  shm::ControlWorkerEnd& control_;
  recorder::Recorder& recorder_;
  std::array<Lane, kLanesMax> lane_{};
  std::array<std::uint64_t, shm::kCounters> counted_{};
};

}  // namespace phalanx::worker
