#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/tape/core_tape.h"
#include "ipc/base/time_ns.h"
#include "tests/sim/checkers/observer.h"
#include "tests/sim/scenario.h"
#include "transport/sim/random.h"

namespace phalanx::sim {

/// The simulated clients of one incarnation: draw submissions and hand them to the core in order,
/// lane by lane, as soon as it takes them.
class Load {
 public:
  Load(const Scenario& scenario, NodeId node, std::uint64_t seed, TimeNs start);

  /// Draws what is due by `now`, a local time.
  void on_time(TimeNs now);
  void burst(std::uint64_t records);
  void stop() noexcept {
    next_ = kNever;
    patient_ = true;
  }
  [[nodiscard]] TimeNs next_at() const noexcept { return next_; }
  /// Offers what waits. Returns how many records the core accepted.
  std::size_t submit(core::Core& core, tape::CoreTape& tape, Observer& observer, Incarnation who);
  [[nodiscard]] std::size_t waiting() const noexcept;
  [[nodiscard]] LaneId lanes() const noexcept { return static_cast<LaneId>(waiting_.size()); }
  /// A long record is being copied, a piece each time it is offered.
  [[nodiscard]] bool is_copying(const core::Core& core) const noexcept;
  /// Bytes of the record that a lane's clients wait for most; 0 when none waits.
  [[nodiscard]] std::size_t next_bytes(LaneId lane) const noexcept {
    return waiting_[lane].empty() ? 0 : core::record_bytes(waiting_[lane].front().payload_bytes);
  }

 private:
  void draw();
  /// One more piece of the record that waits first, into its room. True when it is all there.
  [[nodiscard]] bool copy(LaneId lane, std::byte* room);
  Submission draw_membership();

  const LoadOptions options_;
  std::uint32_t message_bytes_max_;
  std::uint32_t copy_bytes_max_;
  transport::Random random_;
  TimeNs next_;
  std::uint32_t left_;
  bool patient_ = false;  ///< Nothing that waits is taken back any more.
  std::set<std::pair<GroupId, ClientId>> joined_;
  std::vector<std::deque<Submission>> waiting_;  ///< By lane.
  std::vector<std::size_t> copied_;              ///< Bytes of the first of each that are copied.
};

}  // namespace phalanx::sim
