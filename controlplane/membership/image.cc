// All of a machine's state as bytes and back: where a replay begins. One list of fields serves both
// ways.

#include <algorithm>

#include "controlplane/membership/machine.h"
#include "ipc/base/fields.h"

namespace phalanx::membership {
namespace {

std::optional<wire::Hello> decode_as(std::span<const std::byte> bytes, const wire::Hello*) {
  return wire::decode_hello(bytes);
}
std::optional<wire::Report> decode_as(std::span<const std::byte> bytes, const wire::Report*) {
  return wire::decode_report(bytes);
}

class Out : public FieldsOut {
 public:
  using FieldsOut::FieldsOut;
  using FieldsOut::operator();

  /// A message, or none.
  template <class T>
  void operator()(const std::optional<T>& message) {
    std::vector<std::byte> bytes;
    if (message) wire::encode(*message, bytes);
    (*this)(message.has_value());
    blob(bytes);
  }
};

class In : public FieldsIn {
 public:
  using FieldsIn::FieldsIn;
  using FieldsIn::operator();

  template <class T>
  void operator()(std::optional<T>& message) {
    bool there = false;
    (*this)(there);
    const auto bytes = blob();
    message.reset();
    if (there) message = decode_as(bytes, static_cast<const T*>(nullptr));
    require(message.has_value() == there);
  }
};

void visit_config(auto& config, auto& v) {
  v(config.self.node);
  v(config.self.boot);
  v.list(config.nodes, [&](auto& node) { v(node); });
  v(config.lanes);
  v(config.config_hash);
  v(config.key_id_lowest);
  v(config.key_id_highest);
  v(config.key_id_next);
  v(config.dead_after);
  v(config.stall_after);
  v(config.hold_min);
  v(config.hold_max);
  v(config.hello_interval);
  v(config.attempt_deadline);
}

void visit_peer(auto& peer, auto& v) {
  v(peer.boot);
  for (auto& buried : peer.buried) {
    v(buried.boot);
    v(buried.proven);
  }
  v(peer.buried_next);
  v(peer.hello);
  v(peer.row);
  v(peer.hello_at);
  v(peer.control_at);
  v(peer.absent);
  v(peer.cut_off_at);
  v(peer.greeted_at);
  v(peer.linked_since);
  v(peer.astray_since);
  v(peer.joined_at);
  v(peer.hold);
  v(peer.unanswered);
  v(peer.lost_by);
  v(peer.mute);
}

bool sound(const MembershipConfig& config) {
  const auto& nodes = config.nodes;
  return !nodes.empty() && nodes.front() != 0 && std::ranges::is_sorted(nodes) &&
         std::ranges::adjacent_find(nodes) == nodes.end() &&
         std::ranges::binary_search(nodes, config.self.node) && !config.self.boot.is_none() &&
         config.lanes > 0 && config.lanes <= kLanesMax;
}

}  // namespace

void Machine::visit(auto& self, auto& v) {
  const std::size_t nodes = self.config_.nodes.size();
  v(self.reserved_);
  for (std::size_t i = 0; i < nodes; ++i) visit_peer(self.peers_[i], v);
  self.detector_.visit(self.detector_, nodes, v);
  v.list(self.rejections_, [&](auto& r) {
    v(r.node);
    v(r.reason);
    v(r.mine);
    v(r.theirs);
  });
  v.list(self.losses_, [&](auto& loss) {
    v(loss.member.node);
    v(loss.member.boot);
    v(loss.rule);
  });
  for (std::size_t i = 0; i < nodes; ++i) v(self.view_boots_[i]);
  v(self.view_set_);
  v(self.heard_);
  v(self.suspected_);
  v(self.accused_since_);
  v(self.joining_);
  v(self.joining_since_);
  v(self.pending_since_);
  v(self.durable_.attempt.report);
  v.list(self.reports_, [&](auto& report) { v(report); });
  v(self.attempt_set_);
  v(self.deadline_);
  v(self.resend_at_);
  v(self.resend_after_);
  v(self.retry_at_);
  v(self.renewal_wanted_);
  v(self.failures_);
  v(self.greeted_at_);
  v(self.told_heard_);
  v(self.greet_now_);
  v(self.answers_);
  v(self.wake_at_);
}

std::vector<std::byte> Machine::image() const {
  std::vector<std::byte> out;
  Out v(out);
  visit_config(config_, v);
  v.blob(encode_snapshot(durable_, 0));
  visit(*this, v);
  return out;
}

std::unique_ptr<Machine> Machine::of_image(std::span<const std::byte> bytes) {
  In v(bytes);
  MembershipConfig config;
  visit_config(config, v);
  auto decoded = decode_snapshot(v.blob());
  if (!v.ok() || !sound(config) || !decoded || decoded->durable.self != config.self) return nullptr;
  auto machine = std::make_unique<Machine>(config, 0);
  machine->durable_ = std::move(decoded->durable);
  visit(*machine, v);
  return v.finished() && machine->is_consistent() ? std::move(machine) : nullptr;
}

/// What the machine takes for granted about itself.
bool Machine::is_consistent() const {
  const Attempt& attempt = durable_.attempt;
  const auto known = [&](const Member& member) { return index_of(member.node).has_value(); };
  const auto& members = attempt.prepare.members;
  if (!std::ranges::all_of(durable_.members, known) || !std::ranges::all_of(members, known)) {
    return false;
  }
  NodeSet set = 0;
  for (const Member& member : members) set |= only(*index_of(member.node));
  const NodeSet sets = view_set_ | heard_ | suspected_ | joining_ | told_heard_ | answers_;
  const bool in_bounds = (sets & ~configured_) == 0 && attempt_set_ == set;
  const bool mine =
      attempt.id().is_none() || (index_of(attempt.id().representative) &&
                                 std::ranges::find(members, config_.self) != members.end());
  const bool reports_fit = reports_.empty() || reports_.size() == members.size();
  const bool lanes_fit = std::ranges::all_of(reports_, [&](const auto& report) {
    return !report || report->lanes.size() == config_.lanes;
  });
  const bool leads_with = !attempt.running || !leads() || attempt.plan || !reports_.empty();
  const bool running_is_real = !attempt.running || !attempt.id().is_none();
  return in_bounds && mine && reports_fit && lanes_fit && leads_with && running_is_real;
}

}  // namespace phalanx::membership
