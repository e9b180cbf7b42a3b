#pragma once

#include <array>
#include <span>
#include <vector>

#include "controlplane/daemon/view_change.h"
#include "controlplane/membership/membership.h"
#include "ipc/recorder/recorder.h"

namespace phalanx::controlplane {

/// Tells the flight recorder what the membership decided, by comparing after each of its steps with
/// the step before: the machine itself knows of no recorder. One thread.
class Chronicle {
 public:
  Chronicle(const membership::MembershipConfig& config, recorder::Recorder& recorder)
      : nodes_(config.nodes), self_(config.self), recorder_(recorder) {}

  /// What the worker heard when, which is told with a suspicion.
  void seen(std::span<const membership::PeerSeen> peers);
  void note(recorder::Kind kind, NodeId node) noexcept { recorder_.note(kind, {.node = node}); }
  void own_link(bool up) noexcept { recorder_.note(recorder::Kind::OwnLink, {.a = up ? 1U : 0U}); }
  /// After each step that gave `actions`.
  void after(const membership::Membership& membership, const membership::Actions& actions,
             TimeNs now);
  void view_changed(const ViewChange& change);

 private:
  void compare_hearing(const membership::Membership& membership, TimeNs now);
  void compare_attempt(const membership::Membership& membership);
  void tell_actions(const membership::Membership& membership, const membership::Actions& actions);
  [[nodiscard]] TimeNs silent_since(std::size_t index, TimeNs now) const noexcept;
  [[nodiscard]] membership::NodeSet set_of(std::span<const Member> members) const;
  [[nodiscard]] membership::NodeSet set_of(std::span<const membership::Loss> losses) const;
  [[nodiscard]] membership::NodeSet bit_of(NodeId node) const;

  std::vector<NodeId> nodes_;
  Member self_;
  recorder::Recorder& recorder_;
  std::array<TimeNs, kNodesMax> heard_at_{};
  membership::Membership::Hearing before_;
  ViewId attempt_;
  bool running_ = false;
  ViewId reported_;  ///< The attempts whose report and DONE were told.
  ViewId done_;
};

}  // namespace phalanx::controlplane
