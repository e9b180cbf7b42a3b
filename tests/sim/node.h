#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "tests/sim/control_plane.h"
#include "tests/sim/data_plane.h"
#include "transport/sim/random.h"

namespace phalanx::sim {

/// A host's clock: starts anywhere and runs a little fast or slow.
struct Clock {
  TimeNs offset = 0;
  std::int64_t drift_ppm = 0;
  [[nodiscard]] TimeNs local(TimeNs at) const noexcept {
    return offset + at + static_cast<TimeNs>(static_cast<std::int64_t>(at / 1'000'000) * drift_ppm);
  }
  /// The first time at which local() is not before `local_time`.
  [[nodiscard]] TimeNs reached(TimeNs local_time) const noexcept;
};

/// One node: two processes that die apart or together, what survives them, and a clock.
class Node {
 public:
  Node(const DataPlaneParts& parts, NodeId id, std::uint64_t seed);

  void start(TimeNs at);
  /// Both processes.
  void kill();
  /// The data plane alone. Its control plane starts a new one, as a new member, with start().
  Member kill_data();
  void kill_control();
  void leave(TimeNs at);
  void order_votes(std::uint64_t draw, TimeNs at);
  /// A rotation of the cluster key: it holds the next as well; it goes over to it with the next
  /// view.
  void hold_next_key(TimeNs at);
  void go_over_to_next_key(TimeNs at);
  [[nodiscard]] const KeysHeld& keys() const noexcept { return durable_.keys; }
  void restore_control(TimeNs at);
  void stall_until(TimeNs until, TimeNs at);
  void stall_control_until(TimeNs until) noexcept { control_stalled_until_ = until; }
  void pause_readers_until(TimeNs until) noexcept { readers_paused_until_ = until; }
  /// It goes on to speak, but does not do what `what` (Mute) names; 0: it does all again.
  void mute(std::uint8_t what) noexcept { muted_ = what; }
  void jump_clock(TimeNs forward) noexcept { clock_.offset += forward; }
  /// It dies (KillData or KillControl) right after the `count`th thing from now that its processes
  /// tell each other; 0: it does not.
  void die_at_action(std::uint64_t count, Step::Kind death, TimeNs grave_span) noexcept {
    actions_left_ = count;
    death_ = death;
    grave_span_ = grave_span;
    dies_now_ = false;
  }
  [[nodiscard]] bool dies_now() noexcept { return std::exchange(dies_now_, false); }
  [[nodiscard]] Step::Kind death() const noexcept { return death_; }
  [[nodiscard]] TimeNs grave_span() const noexcept { return grave_span_; }
  /// At its next start the state file is gone, or one from before.
  void lose_disk() noexcept { disk_lost_ = true; }

  /// Steps what is due. Returns when it wants to be stepped next.
  TimeNs turn(TimeNs at);
  /// When a frame that arrived now is looked at.
  [[nodiscard]] TimeNs ready_at(TimeNs at) const noexcept { return std::max(at, idle_from_); }

  void on_dead(Member peer, TimeNs at);
  void on_vouch(NodeId peer, TimeNs at);
  void on_cut_off(Member peer, TimeNs at);
  /// Its own link, as its kernel tells it.
  void set_link(bool up, TimeNs at);

  [[nodiscard]] bool up() const noexcept { return data_ != nullptr; }
  [[nodiscard]] bool control_up() const noexcept { return control_ != nullptr; }
  [[nodiscard]] bool steps(TimeNs at) const noexcept { return at >= stalled_until_; }
  [[nodiscard]] bool link_up() const noexcept { return link_up_; }
  [[nodiscard]] bool is_mute() const noexcept { return muted_ != 0; }
  [[nodiscard]] NodeId id() const noexcept { return id_; }
  [[nodiscard]] DataPlane& data() noexcept { return *data_; }
  [[nodiscard]] ReplicatedApp* app() noexcept { return app_.get(); }
  [[nodiscard]] const ControlPlane& control() const noexcept { return *control_; }
  [[nodiscard]] std::uint64_t turns() const noexcept { return turns_; }

 private:
  void step_control(TimeNs at);
  void hold_keys(const KeysHeld& keys, bool goes_over, TimeNs at);
  void start_app(TimeNs now);
  void count_action() noexcept {
    dies_now_ = dies_now_ || (actions_left_ > 0 && --actions_left_ == 0);
  }
  [[nodiscard]] bool lets_fall(const PlaneCommand& command) const noexcept;
  [[nodiscard]] bool lets_fall(const PlaneEvent& event) const noexcept;
  [[nodiscard]] TimeNs next_turn(TimeNs at) const noexcept;
  [[nodiscard]] std::unique_ptr<ControlPlane> make_control();
  void tell_link(TimeNs at);

  DataPlaneParts parts_;
  NodeId id_;
  transport::Random random_;
  Clock clock_;
  Durable durable_;
  bool disk_lost_ = false;
  std::uint64_t older_sequence_ = 0;  ///< What an old state file would hold.
  std::unique_ptr<ReplicatedApp> app_;
  std::unique_ptr<DataPlane> data_;
  std::unique_ptr<ControlPlane> control_;
  TimeNs idle_from_ = 0;  ///< End of the turn that runs.
  TimeNs stalled_until_ = 0;
  TimeNs control_stalled_until_ = 0;
  TimeNs readers_paused_until_ = 0;
  std::uint8_t muted_ = 0;
  std::uint64_t actions_left_ = 0;
  Step::Kind death_ = Step::Kind::KillData;
  TimeNs grave_span_ = 0;
  bool dies_now_ = false;
  bool link_up_ = true;
  TimeNs commands_due_ = kNever;
  TimeNs events_due_ = kNever;
  std::uint64_t turns_ = 0;
  std::uint64_t idle_turns_ = 0;
};

}  // namespace phalanx::sim
