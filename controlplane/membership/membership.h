#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "controlplane/membership/clique.h"
#include "controlplane/membership/loss.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/messages.h"

namespace phalanx::membership {

struct MembershipConfig {
  Member self;                ///< Node and boot id of this node's data plane.
  std::vector<NodeId> nodes;  ///< All configured nodes, sorted, self included.
  LaneId lanes = 1;
  std::uint64_t config_hash = 0;
  std::uint32_t key_id_lowest = 0;   ///< Of the cluster keys that it holds; never goes below it.
  std::uint32_t key_id_highest = 0;  ///< That it would go over to with the next view.
  std::uint32_t key_id_next = 0;     ///< That it holds, and goes over to once told; 0: none.
  TimeNs dead_after = 50 * kMillisecond;
  TimeNs stall_after = 500 * kMillisecond;
  TimeNs hold_min = 50 * kMillisecond;
  TimeNs hold_max = 5 * kSecond;
  TimeNs hello_interval = 20 * kMillisecond;
  TimeNs attempt_deadline = 100 * kMillisecond;  ///< Of one step of an attempt.
};

/// Of one step of an attempt, where a node counts as dead after so long: who would still be waited
/// for must not be left out for an answer that takes as long. 100 ms to 5 s.
[[nodiscard]] constexpr TimeNs attempt_deadline_for(TimeNs dead_after) noexcept {
  return std::clamp(dead_after, 100 * kMillisecond, 5 * kSecond);
}

/// Limits that may change while a membership runs; as in MembershipConfig.
struct Times {
  TimeNs dead_after = 0;
  TimeNs stall_after = 0;
  TimeNs hold_min = 0;
  TimeNs hold_max = 0;

  [[nodiscard]] bool sound() const noexcept {
    return dead_after > 0 && dead_after <= stall_after && hold_min > 0 && hold_min <= hold_max;
  }
  friend bool operator==(const Times&, const Times&) = default;
};

/// The cluster keys that a node holds, by id; as in MembershipConfig.
struct KeyIds {
  std::uint32_t lowest = 0;
  std::uint32_t highest = 0;
  std::uint32_t next = 0;

  [[nodiscard]] bool sound() const noexcept {
    return lowest <= highest && (next == 0 || next >= highest);
  }
  friend bool operator==(const KeyIds&, const KeyIds&) = default;
};

/// Gather: no view in which lanes go on (none yet, or frozen after an attempt that failed).
/// Operational: the lanes go on in view(). Prepare: an attempt was promised, its plan is not here.
/// Recover: the plan is here; up to Installed. Table in membership.md.
enum class State : std::uint8_t { Gather, Operational, Prepare, Recover };

[[nodiscard]] std::string_view to_string(State state) noexcept;

/// What the worker saw of one configured peer, read by the control plane before each step.
struct PeerSeen {
  NodeId node = 0;
  TimeNs heard = 0;  ///< Last authenticated data frame on the slowest lane; 0 never in this view.
  TimeNs progressed = 0;  ///< Last time its `received` moved, or had nothing to move for; 0 never.
  bool distrusts_itself = false;  ///< On self: this node's own worker was descheduled just now.

  friend bool operator==(const PeerSeen&, const PeerSeen&) = default;
};

/// One message to send. Bytes are the encoded message, without fragmentation.
struct Send {
  enum class To : std::uint8_t {
    Node,      ///< `node` with boot id `boot`.
    Attempt,   ///< Each of `members`, one sealed copy a receiver (it names the receiver's boot id).
    Everyone,  ///< All configured nodes but self; hellos only, with no receiver's boot id.
  };
  To to = To::Everyone;
  NodeId node = 0;              ///< For Node.
  BootId boot;                  ///< Receiver's boot id for Node.
  std::vector<Member> members;  ///< For Attempt; never self.
  wire::MessageKind kind = wire::MessageKind::Hello;
  std::vector<std::byte> bytes;  ///< The encoded message, without fragmentation.

  friend bool operator==(const Send&, const Send&) = default;
};

/// What the caller must do next, in this order. Plain data: a test compares it, a simulator replays
/// it. The machine itself never sends, logs, reads a clock or does I/O.
/// A caller that keeps snapshot()s writes one after reserve_sequence and before the rest.
struct Actions {
  std::optional<std::uint64_t>
      reserve_sequence;  ///< Make this sequence durable before anything else below.
  bool freeze = false;   ///< Freeze every lane; answer with on_frozen(Core::report(attempt())).
  std::optional<wire::Plan>
      recover;  ///< Start recovery with it; answer with on_recovered(plan.attempt).
  std::optional<wire::Plan>
      install;  ///< Install it in every worker; answer with on_installed(plan.attempt).
  std::vector<Send> sends;
  TimeNs wake_at = kNever;  ///< Call on_seen() and on_time() no later than this.

  friend bool operator==(const Actions&, const Actions&) = default;
};

/// A configured node that is heard but kept out, and why. For the caller to log (once a minute).
struct Rejection {
  enum class Reason : std::uint8_t { ConfigHash, KeyId };
  NodeId node = 0;
  Reason reason = Reason::ConfigHash;
  std::uint64_t mine = 0;
  std::uint64_t theirs = 0;

  friend bool operator==(const Rejection&, const Rejection&) = default;
};

class Machine;

/// One node's part in agreeing on views (DESIGN: gather, prepare, plan, recover, install).
/// Sans-I/O and deterministic: events and `now` in, Actions out. `now` never goes back. One thread.
/// Freeze, recover and install may be asked for again (a repeated attempt, a restore): the caller
/// does what is left of it and answers again.
class Membership {
 public:
  /// `sequence_reserved`: the last value of Actions::reserve_sequence that became durable, 0 if
  /// none.
  Membership(const MembershipConfig& config, std::uint64_t sequence_reserved);
  ~Membership();
  Membership(Membership&&) noexcept;
  Membership& operator=(Membership&&) noexcept;

  /// Call one of the two once, before anything else: start() beside a new data plane, restore()
  /// beside one that runs already. restore() is empty when the bytes are not a whole snapshot of
  /// this very member; the data plane must then be started anew.
  [[nodiscard]] Actions start(TimeNs now);
  [[nodiscard]] std::optional<Actions> restore(std::span<const std::byte> snapshot, TimeNs now);

  /// A control message that came authenticated from this member. Whatever it holds is tolerated.
  [[nodiscard]] Actions on_message(Member from, wire::MessageKind kind,
                                   std::span<const std::byte> bytes, TimeNs now);

  /// Answers to Actions. Late or repeated answers do no harm.
  [[nodiscard]] Actions on_frozen(const wire::Report& report, TimeNs now);
  [[nodiscard]] Actions on_recovered(const ViewId& attempt, TimeNs now);
  [[nodiscard]] Actions on_installed(const ViewId& view, TimeNs now);
  /// The data plane will not recover with the plan of this attempt.
  [[nodiscard]] Actions on_refused(const ViewId& attempt, TimeNs now);

  /// Proof that this incarnation is gone: its obituary.
  [[nodiscard]] Actions on_dead(Member peer, TimeNs now);
  /// Proof that this incarnation is cut off: its own word, by the management address, that its link
  /// is down. Until it is vouched for again, or heard.
  [[nodiscard]] Actions on_cut_off(Member peer, TimeNs now);
  /// This node's own link went down or came up again.
  [[nodiscard]] Actions on_own_link(bool up, TimeNs now);
  /// The peer's control plane is alive and vouches for its worker (management address). This and
  /// on_seen() are cheap, ask for nothing and leave the wake-up as it was.
  [[nodiscard]] Actions on_vouch(NodeId peer, TimeNs now);
  /// Call before every on_time(), in the same breath; it may also be called alone.
  [[nodiscard]] Actions on_seen(std::span<const PeerSeen> peers, TimeNs now);
  [[nodiscard]] Actions on_time(TimeNs now);
  /// Asks for a new view of the same members, so that what they bring to it is agreed on. Led by
  /// this node once nothing else goes on; forgotten with the next install.
  [[nodiscard]] Actions renew(TimeNs now);
  /// Judges by other limits from now on. They must be sound().
  [[nodiscard]] Actions retime(const Times& times, TimeNs now);
  /// Holds other cluster keys from now on. They must be sound(). Once all members of the view would
  /// go over to a higher one, its lowest member leads a view of the same members under that one.
  /// What it went over to, or was told of by one that does, is not taken back.
  [[nodiscard]] Actions rekey(const KeyIds& keys, TimeNs now);
  /// Orderly leave: peers take this node out at once. No way back; done when left() is true.
  [[nodiscard]] Actions leave(TimeNs now);

  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] bool frozen() const noexcept;         ///< Asked to freeze since the last install.
  [[nodiscard]] const ViewId& view() const noexcept;  ///< Installed view, or none.
  [[nodiscard]] std::span<const Member> members() const noexcept;  ///< Of view(), sorted.
  [[nodiscard]] const ViewId& attempt() const noexcept;  ///< Highest attempt promised, or none.
  /// Of the cluster key that view() was agreed on with; 0 without a view.
  [[nodiscard]] std::uint32_t view_key_id() const noexcept;
  /// That this node would go over to.
  [[nodiscard]] std::uint32_t key_id_highest() const noexcept;
  /// Of attempt(), sorted: the plan has the same.
  [[nodiscard]] std::span<const Member> attempt_members() const noexcept;
  [[nodiscard]] std::uint64_t sequence_seen() const noexcept;
  /// Whom it hears and whom it suspects, and by which rule it lost one; for telling, as losses().
  struct Hearing {
    NodeSet heard = 0;
    NodeSet suspected = 0;  ///< Heard, and silent for so long that it should give a sign of life.
  };
  [[nodiscard]] Hearing hearing() const noexcept;
  [[nodiscard]] LossRule lost_by(NodeId node) const noexcept;
  [[nodiscard]] std::vector<Member> heard() const;  ///< Whom this node hears now, sorted.
  [[nodiscard]] std::span<const Rejection> rejections()
      const noexcept;  ///< Sorted by node, one each.
  /// Members of the view before that are not in view(), sorted, and why; told, never acted on.
  [[nodiscard]] std::span<const Loss> losses() const noexcept;
  [[nodiscard]] bool left() const noexcept;

  /// Everything a restarted control plane needs to go on where this one stopped. The first 8 bytes
  /// (little-endian) count up with every snapshot and a checksum covers all, so a writer that
  /// alternates between two places always leaves one whole; take the higher count that restores.
  [[nodiscard]] std::vector<std::byte> snapshot();

  /// All of its state, configuration included, so that a replay decides the same from there on.
  /// Long, where snapshot() is what a new control plane needs. of_image() is empty unless the bytes
  /// are a whole image of this version.
  [[nodiscard]] std::vector<std::byte> image() const;
  [[nodiscard]] static std::optional<Membership> of_image(std::span<const std::byte> bytes);

 private:
  explicit Membership(std::unique_ptr<Machine> machine) noexcept;
  std::unique_ptr<Machine> machine_;
};

}  // namespace phalanx::membership
