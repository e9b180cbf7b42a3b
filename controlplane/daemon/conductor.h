#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "controlplane/daemon/chronicle.h"
#include "controlplane/daemon/data_plane_port.h"
#include "controlplane/daemon/view_change.h"
#include "controlplane/membership/membership.h"
#include "controlplane/membership/tape.h"
#include "controlplane/quorum/device.h"
#include "controlplane/quorum/quorum.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// Couples one incarnation of the data plane to the membership: its actions become commands, the
/// worker's events become its calls, and the attempt is kept where it outlives this process. Quorum
/// gets its word in on the way: this node's ballot into each report, the plan before anybody hears
/// of it, and the answer into the install. Owns both. No I/O of its own: tests drive it with a
/// scripted port. One thread.
class Conductor {
 public:
  struct Hooks {
    /// Makes the sequence durable. Tried again at every step until it is: nothing is said before.
    std::function<Expected<void, Error>(std::uint64_t sequence)> reserve;
    /// Call on_time() no later than this.
    std::function<void(TimeNs at)> wake;
    std::function<void(const ViewChange&)> view_changed;
    std::function<void(const Error&)> failed;
    /// An installed view has ruled on the order that propose() took.
    std::function<void(const quorum::Ruling&)> ruled;
    /// Send it to the quorum device; the answer goes to on_device(). Empty: there is none.
    std::function<void(const wire::DeviceWord&)> ask;
    membership::Tape* tape = nullptr;  ///< Keeps each step, to be replayed; nullptr: nobody does.
    recorder::Recorder* recorder = nullptr;  ///< Told of each decision; nullptr: nobody is.
  };

  Conductor(const membership::MembershipConfig& config, const quorum::QuorumConfig& votes,
            std::uint64_t sequence_reserved, DataPlanePort& port, Hooks hooks);

  enum class Begin : std::uint8_t {
    Started,   ///< The data plane was fresh.
    Adopted,   ///< It ran already and its attempt was taken up.
    Unusable,  ///< It ran already and the attempt is gone: it must be started anew.
  };
  /// Once, before anything else.
  [[nodiscard]] Begin begin(TimeNs now);

  void on_event(const shm::Event& event, TimeNs now);
  void on_vouch(NodeId peer, TimeNs now);
  void on_dead(Member peer, TimeNs now);
  void on_cut_off(Member peer, TimeNs now);
  void on_own_link(bool up, TimeNs now);
  void on_time(TimeNs now);
  void leave(TimeNs now);
  /// A reload's: other limits, for the membership and for the worker.
  void tune(const membership::Times& times, const shm::Tuning& tuning, TimeNs now);
  /// Other cluster keys, for the membership.
  void rekey(const membership::KeyIds& keys, TimeNs now);
  /// An order about votes. Carried: a new view is asked for that rules on it, see Hooks::ruled.
  /// Else that is why nothing comes of it.
  [[nodiscard]] quorum::Ruling propose(const wire::Order& order, TimeNs now);
  void withdraw() noexcept { quorum_.withdraw(); }
  void on_device(const wire::DeviceWord& answer, TimeNs now);
  /// Every second: tells the quorum device of the installed view, and asks whether it votes for it.
  void probe_device();
  /// When the quorum device answered last; 0: never.
  [[nodiscard]] TimeNs device_heard() const noexcept { return device_heard_; }

  [[nodiscard]] const membership::Membership& membership() const noexcept { return membership_; }
  [[nodiscard]] const quorum::Quorum& quorum() const noexcept { return quorum_; }
  /// Events and sends that came to nothing: rubbish from the worker, a full command ring.
  [[nodiscard]] std::uint64_t events_bad() const noexcept { return events_bad_; }
  [[nodiscard]] std::uint64_t sends_lost() const noexcept { return sends_lost_; }

 private:
  /// One step of the membership: onto the tape, and what comes of it is done. False: it refused.
  bool step(const membership::Input& input);
  [[nodiscard]] bool restore(std::span<const std::byte> bytes, TimeNs now);
  void take_report(wire::Report report, TimeNs now);
  void release_report(bool granted, TimeNs now);
  void wake(TimeNs at);
  void store();
  void perform(const membership::Actions& actions, TimeNs now);
  void command(const membership::Actions& actions);
  void send(const membership::Send& what);
  void must_send(shm::Command command);
  void flush();
  void note_loss(Member peer, TimeNs now);
  void look_for_view_change(TimeNs now);
  [[nodiscard]] std::vector<membership::PeerSeen> peers_seen(TimeNs now);

  membership::MembershipConfig config_;
  membership::Membership membership_;
  quorum::Quorum quorum_;
  DataPlanePort& port_;
  Hooks hooks_;
  recorder::Recorder no_recorder_;
  Chronicle chronicle_;
  std::optional<std::uint64_t> reserve_wanted_;  ///< Not durable yet.
  std::deque<shm::Command> unsent_;  ///< Orders that found the ring full; they may not get lost.
  /// Own report, until the quorum device has answered or is not waited for any more.
  struct Held {
    wire::Report report;
    ViewId attempt;
    TimeNs until = 0;
  };
  std::optional<Held> held_;
  quorum::DeviceLink device_;
  TimeNs device_heard_ = 0;
  TimeNs wake_at_ = kNever;
  ViewId view_;
  std::vector<Member> members_;
  TimeNs change_began_ = 0;  ///< 0: the view is left alone.
  TimeNs distrust_until_ = 0;
  std::uint64_t events_bad_ = 0;
  std::uint64_t sends_lost_ = 0;
};

}  // namespace phalanx::controlplane
