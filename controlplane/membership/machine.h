#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/membership/attempt.h"
#include "controlplane/membership/clique.h"
#include "controlplane/membership/failure_detector.h"
#include "controlplane/membership/membership.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/messages.h"

namespace phalanx::membership {

/// No honest cluster gets here; a sequence above it would leave no room to go on.
inline constexpr std::uint64_t kSequenceMax = std::uint64_t{1} << 62;

/// What is known of one configured node. Only the incarnation heard last counts.
struct Peer {
  static constexpr std::size_t kBuriedMax = 8;
  /// An incarnation that is gone: proven by its obituary, or only followed by another.
  struct Buried {
    BootId boot;
    bool proven = false;
  };

  BootId boot;                              ///< None: never heard.
  std::array<Buried, kBuriedMax> buried{};  ///< The newest few.
  std::size_t buried_next = 0;
  std::optional<wire::Hello> hello;  ///< The last one of `boot`.
  NodeSet row = 0;  ///< Whom that hello says it hears, by index; known incarnations only.
  TimeNs hello_at = 0;
  TimeNs control_at = 0;    ///< Last control message of any kind.
  bool absent = false;      ///< Its control plane did not answer while something waited for it.
  TimeNs cut_off_at = 0;    ///< When its node said last that its link is down; 0: it is up.
  TimeNs greeted_at = 0;    ///< Last hello of ours to it, to all or to it alone; 0 never.
  TimeNs linked_since = 0;  ///< Both hear one another without a break since; 0 they do not.
  TimeNs astray_since = 0;  ///< A member that is frozen, or elsewhere, since; 0 it is not.
  TimeNs joined_at = 0;
  TimeNs hold = 0;               ///< How long it must be linked before it is taken in.
  std::uint32_t unanswered = 0;  ///< Attempts in succession that it did not answer but spoke in.
  LossRule lost_by = LossRule::None;  ///< Of a member of the view that is not heard.
  bool mute = false;  ///< Left out for it, until the next install. Self: its worker is.

  [[nodiscard]] bool is_buried(const BootId& id) const noexcept;
  [[nodiscard]] bool is_proven_dead(const BootId& id) const noexcept;
  void bury(const BootId& id, bool proven) noexcept;
  void unbury(const BootId& id) noexcept;
};

/// The machine behind Membership. An event runs begin(), what the event changes, step().
/// Files: machine.cc (events, one step, timers) gather.cc (who hears whom, whom to go on with)
/// agree.cc (prepare to install) greet.cc (hellos) loss.cc (why members went).
class Machine {
 public:
  Machine(const MembershipConfig& config, std::uint64_t sequence_reserved);

  Actions start(TimeNs now);
  std::optional<Actions> restore(std::span<const std::byte> snapshot, TimeNs now);
  Actions on_message(Member from, wire::MessageKind kind, std::span<const std::byte> bytes,
                     TimeNs now);
  Actions on_frozen(const wire::Report& report, TimeNs now);
  Actions on_recovered(const ViewId& attempt, TimeNs now);
  Actions on_installed(const ViewId& view, TimeNs now);
  Actions on_refused(const ViewId& id, TimeNs now);
  Actions on_dead(Member peer, TimeNs now);
  Actions on_cut_off(Member peer, TimeNs now);
  Actions on_own_link(bool up, TimeNs now);
  Actions on_vouch(NodeId peer, TimeNs now);
  Actions on_seen(std::span<const PeerSeen> peers, TimeNs now);
  Actions on_time(TimeNs now);
  Actions renew(TimeNs now);
  Actions retime(const Times& times, TimeNs now);
  Actions rekey(const KeyIds& keys, TimeNs now);
  Actions leave(TimeNs now);

  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] std::uint32_t key_id_highest() const noexcept { return config_.key_id_highest; }
  [[nodiscard]] const Durable& durable() const noexcept { return durable_; }
  [[nodiscard]] std::vector<Member> members_of(NodeSet set) const;
  [[nodiscard]] NodeSet heard() const noexcept { return heard_; }
  [[nodiscard]] NodeSet suspected() const noexcept { return suspected_; }
  [[nodiscard]] LossRule lost_by(NodeId node) const noexcept;
  [[nodiscard]] std::span<const Rejection> rejections() const noexcept { return rejections_; }
  [[nodiscard]] std::span<const Loss> losses() const noexcept { return losses_; }
  [[nodiscard]] bool left() const noexcept;
  [[nodiscard]] std::vector<std::byte> snapshot();
  [[nodiscard]] std::vector<std::byte> image() const;
  [[nodiscard]] static std::unique_ptr<Machine> of_image(std::span<const std::byte> bytes);

 private:
  /// Whom to go on with, and what hinders.
  struct Target {
    NodeSet members = 0;  ///< 0: the view is as it should be.
    TimeNs not_before = 0;
  };

  // machine.cc
  void begin(TimeNs now);
  void notice_own_pause(TimeNs now);
  Actions step(TimeNs now);
  void wake(TimeNs at) noexcept;
  void raise_sequence(std::uint64_t sequence);
  [[nodiscard]] std::optional<std::size_t> index_of(NodeId node) const noexcept;
  [[nodiscard]] TimeNs forgotten_at(const Peer& peer) const noexcept;
  [[nodiscard]] bool admit(Member from, wire::MessageKind kind, TimeNs now);
  void adopt(std::size_t index, const BootId& boot, TimeNs now);
  void reject(NodeId node, Rejection::Reason reason, std::uint64_t mine, std::uint64_t theirs);
  void unreject(NodeId node, Rejection::Reason reason);
  [[nodiscard]] bool lanes_running() const noexcept;
  void offer_key(std::uint32_t id) noexcept;
  [[nodiscard]] std::uint32_t key_id_least() const noexcept;

  // gather.cc
  void update_heard(TimeNs now);
  void listen(TimeNs now);
  [[nodiscard]] bool hears(std::size_t index, TimeNs now);
  [[nodiscard]] bool follows(std::size_t index) const noexcept;  ///< A living member of the view.
  [[nodiscard]] HearsMatrix matrix() const;
  [[nodiscard]] NodeSet core_of(const HearsMatrix& matrix) const;  ///< Who goes on with this node.
  void update_links(const HearsMatrix& matrix, TimeNs now);
  [[nodiscard]] NodeSet joiners(const HearsMatrix& matrix, NodeSet core, TimeNs now);
  [[nodiscard]] NodeSet split_off(NodeSet joining) const;
  [[nodiscard]] bool knows_all_of(NodeSet set) const;
  [[nodiscard]] bool may_go_over_to_next_key() const noexcept;
  [[nodiscard]] Target urgent_target(NodeSet core, TimeNs now);
  [[nodiscard]] Target join_target(const HearsMatrix& matrix, NodeSet core, TimeNs now);
  void gather(TimeNs now);

  // loss.cc
  [[nodiscard]] LossRule loss_rule(std::size_t index, TimeNs now) const;
  void note_loss(std::size_t index, TimeNs now);
  void settle_losses(NodeSet before, TimeNs now);

  // agree.cc
  void start_attempt(NodeSet target, TimeNs now);
  void promise(const wire::Prepare& prepare, TimeNs now);
  void on_prepare(std::size_t from, const wire::Prepare& prepare, TimeNs now);
  void repeat_answer(std::size_t representative);
  void refuse(std::size_t representative, const ViewId& attempt);
  void on_refusal(std::size_t from, const wire::Refusal& refusal, TimeNs now);
  void on_report(std::size_t from, const wire::Report& report, TimeNs now);
  void on_plan(std::size_t from, const wire::Plan& plan, TimeNs now);
  void on_done(std::size_t from, const wire::Done& done);
  void take_report(std::size_t rank, const wire::Report& report, TimeNs now);
  void take_plan(const wire::Plan& plan, TimeNs now);
  void install_when_all_are_done();
  void check_attempt(TimeNs now);
  void fail_attempt(TimeNs retry_at);
  void judge_the_silent(TimeNs now);
  void miss_answer(Peer& peer) noexcept;
  void resend(TimeNs now);
  void restart_resend(TimeNs now) noexcept;
  [[nodiscard]] bool leads() const noexcept;
  [[nodiscard]] std::optional<std::size_t> rank_of(std::size_t index) const noexcept;
  [[nodiscard]] std::vector<Member> others(std::uint64_t ranks_left_out) const;
  [[nodiscard]] bool suits(const wire::Plan& plan) const;
  [[nodiscard]] TimeNs back_off() const noexcept;

  // image.cc
  static void visit(auto& self, auto& v);
  [[nodiscard]] bool is_consistent() const;

  // greet.cc
  void on_hello(std::size_t from, const wire::Hello& hello, TimeNs now);
  void greet(TimeNs now);
  [[nodiscard]] bool brisk() const noexcept;
  [[nodiscard]] wire::Hello hello() const;
  void answer(std::size_t index) noexcept { answers_ |= only(index); }

  void send_to(std::size_t index, wire::MessageKind kind, const auto& message) {
    Send& send = actions_.sends.emplace_back();
    send.to = Send::To::Node;
    send.node = config_.nodes[index];
    send.boot = peers_[index].boot;
    send.kind = kind;
    wire::encode(message, send.bytes);
  }
  void send_to(std::vector<Member> members, wire::MessageKind kind, const auto& message) {
    if (members.empty()) return;
    Send& send = actions_.sends.emplace_back();
    send.to = Send::To::Attempt;
    send.members = std::move(members);
    send.kind = kind;
    wire::encode(message, send.bytes);
  }

  MembershipConfig config_;
  const std::size_t self_;  ///< Own index among the configured nodes.
  const NodeSet configured_;
  std::uint64_t reserved_;
  std::uint64_t snapshots_ = 0;
  Durable durable_;
  std::array<Peer, kNodesMax> peers_{};
  FailureDetector detector_;
  std::vector<Rejection> rejections_;
  std::vector<Loss> losses_;

  std::array<BootId, kNodesMax> view_boots_{};  ///< Of the members of the installed view.
  NodeSet view_set_ = 0;                        ///< Members of the installed view.
  NodeSet heard_ = 0;
  NodeSet suspected_ = 0;     ///< Members of the view that should give a sign of life.
  TimeNs accused_since_ = 0;  ///< Members that I hear do not hear one another since; 0 they do.
  NodeSet joining_ = 0;       ///< The join that is being held, and since when.
  TimeNs joining_since_ = 0;
  TimeNs pending_since_ = 0;  ///< A view change is wanted or runs since; 0 none.

  std::vector<std::optional<wire::Report>> reports_;  ///< At the representative, by rank.
  NodeSet attempt_set_ = 0;                           ///< Its members by index.
  TimeNs deadline_ = 0;
  TimeNs resend_at_ = 0;
  TimeNs resend_after_ = 0;
  TimeNs retry_at_ = 0;
  bool renewal_wanted_ = false;
  std::uint32_t failures_ = 0;  ///< Attempts since the last install.

  TimeNs greeted_at_ = 0;   ///< Last hello to all.
  NodeSet told_heard_ = 0;  ///< What it said.
  bool greet_now_ = false;
  NodeSet answers_ = 0;  ///< Who gets a hello of its own.

  TimeNs wake_at_ = kNever;  ///< What the last Actions said.
  Actions actions_;
};

}  // namespace phalanx::membership
