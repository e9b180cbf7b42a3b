#include "controlplane/membership/membership.h"

#include <utility>

#include "controlplane/membership/machine.h"

namespace phalanx::membership {

Membership::Membership(const MembershipConfig& config, std::uint64_t sequence_reserved)
    : machine_(std::make_unique<Machine>(config, sequence_reserved)) {}
Membership::~Membership() = default;
Membership::Membership(Membership&&) noexcept = default;
Membership& Membership::operator=(Membership&&) noexcept = default;

Actions Membership::start(TimeNs now) { return machine_->start(now); }
std::optional<Actions> Membership::restore(std::span<const std::byte> snapshot, TimeNs now) {
  return machine_->restore(snapshot, now);
}
Actions Membership::on_message(Member from, wire::MessageKind kind,
                               std::span<const std::byte> bytes, TimeNs now) {
  return machine_->on_message(from, kind, bytes, now);
}
Actions Membership::on_frozen(const wire::Report& report, TimeNs now) {
  return machine_->on_frozen(report, now);
}
Actions Membership::on_recovered(const ViewId& attempt, TimeNs now) {
  return machine_->on_recovered(attempt, now);
}
Actions Membership::on_installed(const ViewId& view, TimeNs now) {
  return machine_->on_installed(view, now);
}
Actions Membership::on_refused(const ViewId& attempt, TimeNs now) {
  return machine_->on_refused(attempt, now);
}
Actions Membership::on_dead(Member peer, TimeNs now) { return machine_->on_dead(peer, now); }
Actions Membership::on_cut_off(Member peer, TimeNs now) { return machine_->on_cut_off(peer, now); }
Actions Membership::on_own_link(bool up, TimeNs now) { return machine_->on_own_link(up, now); }
Actions Membership::on_vouch(NodeId peer, TimeNs now) { return machine_->on_vouch(peer, now); }
Actions Membership::on_seen(std::span<const PeerSeen> peers, TimeNs now) {
  return machine_->on_seen(peers, now);
}
Actions Membership::on_time(TimeNs now) { return machine_->on_time(now); }
Actions Membership::renew(TimeNs now) { return machine_->renew(now); }
Actions Membership::retime(const Times& times, TimeNs now) { return machine_->retime(times, now); }
Actions Membership::rekey(const KeyIds& keys, TimeNs now) { return machine_->rekey(keys, now); }
Actions Membership::leave(TimeNs now) { return machine_->leave(now); }

State Membership::state() const noexcept { return machine_->state(); }
bool Membership::frozen() const noexcept { return machine_->durable().frozen; }
const ViewId& Membership::view() const noexcept { return machine_->durable().view; }
std::uint32_t Membership::view_key_id() const noexcept { return machine_->durable().view_key_id; }
std::uint32_t Membership::key_id_highest() const noexcept { return machine_->key_id_highest(); }
std::span<const Member> Membership::members() const noexcept { return machine_->durable().members; }
const ViewId& Membership::attempt() const noexcept { return machine_->durable().attempt.id(); }
std::span<const Member> Membership::attempt_members() const noexcept {
  return machine_->durable().attempt.prepare.members;
}
std::uint64_t Membership::sequence_seen() const noexcept {
  return machine_->durable().sequence_seen;
}
Membership::Hearing Membership::hearing() const noexcept {
  return {machine_->heard(), machine_->suspected()};
}
LossRule Membership::lost_by(NodeId node) const noexcept { return machine_->lost_by(node); }
std::vector<Member> Membership::heard() const { return machine_->members_of(machine_->heard()); }
std::span<const Rejection> Membership::rejections() const noexcept {
  return machine_->rejections();
}
std::span<const Loss> Membership::losses() const noexcept { return machine_->losses(); }
bool Membership::left() const noexcept { return machine_->left(); }
std::vector<std::byte> Membership::snapshot() { return machine_->snapshot(); }
Membership::Membership(std::unique_ptr<Machine> machine) noexcept : machine_(std::move(machine)) {}
std::vector<std::byte> Membership::image() const { return machine_->image(); }
std::optional<Membership> Membership::of_image(std::span<const std::byte> bytes) {
  auto machine = Machine::of_image(bytes);
  if (!machine) return std::nullopt;
  return Membership(std::move(machine));
}

std::string_view to_string(State state) noexcept {
  switch (state) {  // No default: -Wswitch points here when a state is added.
    case State::Gather:
      return "gather";
    case State::Operational:
      return "operational";
    case State::Prepare:
      return "prepare";
    case State::Recover:
      return "recover";
  }
  return "corrupt";
}

}  // namespace phalanx::membership
