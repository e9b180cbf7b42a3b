#include "tests/sim/node.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::sim {
namespace {

constexpr TimeNs kTurn = 500;  ///< What a turn takes at least.
constexpr std::uint64_t kIdleTurnsMax = 1000;
constexpr NodeId kReplicasMax = 8;

}  // namespace

TimeNs Clock::reached(TimeNs local_time) const noexcept {
  if (local_time == kNever) return kNever;
  if (local_time <= offset) return 0;
  const auto passed = static_cast<std::int64_t>(local_time - offset);
  auto at = static_cast<TimeNs>(
      std::max<std::int64_t>(0, passed - passed / 1'000'000 * drift_ppm - drift_ppm));
  while (local(at) < local_time) at += std::max<TimeNs>(1, local_time - local(at));
  return at;
}

Node::Node(const DataPlaneParts& parts, NodeId id, std::uint64_t seed)
    : parts_(parts), id_(id), random_(seed) {
  clock_.offset = random_.below(kSecond) + kSecond;
  const std::int64_t most = parts.scenario.drift_ppm;
  clock_.drift_ppm =
      static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * most + 1))) - most;
}

std::unique_ptr<ControlPlane> Node::make_control() {
  auto control =
      std::make_unique<ControlPlane>(parts_.scenario, data_->self(), durable_, parts_.trace);
  for (const Step& step : parts_.scenario.steps) {
    if (step.kind == Step::Kind::KillControl || step.kind == Step::Kind::KillControlAtAction)
      control->keep_snapshots();
  }
  return control;
}

void Node::start(TimeNs at) {
  PHX_CHECK(data_ == nullptr);
  Member self{.node = id_, .boot = {}};
  for (std::size_t i = 0; i < self.boot.bytes.size(); ++i) {
    self.boot.bytes[i] = static_cast<std::uint8_t>(random_.next() | (i == 0 ? 1 : 0));
  }
  const TimeNs now = clock_.local(at);
  durable_.snapshot.clear();
  durable_.votes.clear();
  data_ = std::make_unique<DataPlane>(parts_, self, random_.next(), now, durable_.keys);
  if (parts_.scenario.replicas && id_ <= kReplicasMax) start_app(now);
  if (std::exchange(disk_lost_, false)) {
    durable_.sequence_reserved = random_.percent(50) ? 0 : older_sequence_;
    parts_.observer.on_lost_disk(id_);
  }
  older_sequence_ = durable_.sequence_reserved;
  control_ = make_control();
  control_->start(now);
  commands_due_ = at;
  events_due_ = kNever;
  if (!link_up_) tell_link(at);
}

void Node::start_app(TimeNs now) {
  if (app_ == nullptr) {
    app_ = std::make_unique<ReplicatedApp>(parts_.scenario, parts_.replicated, parts_.trace, id_,
                                           random_.next());
  }
  app_->attach(now);
  data_->set_app(app_.get());
}

void Node::kill() {
  if (data_ != nullptr) {
    parts_.trace.line(id_, "dead", "both processes");
    parts_.observer.on_crash(data_->incarnation());
  }
  data_.reset();
  control_.reset();
  app_.reset();
}

Member Node::kill_data() {
  PHX_CHECK(data_ != nullptr);
  const Member dead = data_->self();
  parts_.trace.line(id_, "dead", "data plane");
  parts_.observer.on_crash(data_->incarnation());
  data_.reset();
  if (app_ != nullptr) app_->detach();
  control_.reset();  // Its machine spoke for that member only.
  return dead;
}

/// It dies between two writes to the command ring: some of the last commands were never written.
void Node::kill_control() {
  if (control_ == nullptr) return;
  parts_.trace.line(id_, "dead", "control plane");
  auto& commands = control_->commands();
  commands.resize(commands.size() - random_.below(commands.size() + 1));
  for (const PlaneCommand& command : commands) data_->execute(command, clock_.local(idle_from_));
  control_.reset();
  commands_due_ = kNever;
}

void Node::leave(TimeNs at) {
  if (control_ == nullptr) return;
  data_->load().stop();
  control_->leave(clock_.local(at));
  commands_due_ = std::min(commands_due_, at);
}

void Node::order_votes(std::uint64_t draw, TimeNs at) {
  if (control_ == nullptr) return;
  control_->order_votes(draw, clock_.local(at));
  commands_due_ = std::min(commands_due_, at);
}

void Node::hold_keys(const KeysHeld& keys, bool goes_over, TimeNs at) {
  durable_.keys = keys;
  if (data_ != nullptr) data_->hold_keys(keys);
  if (control_ == nullptr) return;
  control_->rekey(
      {.lowest = keys.lowest, .highest = goes_over ? keys.next : keys.lowest, .next = keys.next},
      clock_.local(at));
  commands_due_ = std::min(commands_due_, at);
}

void Node::hold_next_key(TimeNs at) {
  if (durable_.keys.next != 0) return;
  hold_keys({.lowest = durable_.keys.lowest, .next = durable_.keys.lowest + 1}, false, at);
}

void Node::go_over_to_next_key(TimeNs at) {
  if (durable_.keys.next != 0) hold_keys(durable_.keys, true, at);
}

void Node::restore_control(TimeNs at) {
  if (data_ == nullptr || control_ != nullptr) return;
  control_ = make_control();
  parts_.trace.line(id_, "boot", "control plane");
  if (!control_->restore(clock_.local(at))) control_.reset();
  commands_due_ = at;
  events_due_ = at;
  if (control_ != nullptr && !link_up_) tell_link(at);
}

void Node::stall_until(TimeNs until, TimeNs at) {
  stalled_until_ = std::max(stalled_until_, until);
  idle_from_ = std::max(idle_from_, stalled_until_);
  if (data_ != nullptr && until - at > parts_.scenario.dead_after / 2) {
    data_->distrust_until(clock_.local(until) + parts_.scenario.dead_after / 2);
  }
}

void Node::on_dead(Member peer, TimeNs at) {
  if (control_ == nullptr) return;
  control_->on_dead(peer, clock_.local(at));
  commands_due_ = std::min(commands_due_, at);
}

void Node::on_cut_off(Member peer, TimeNs at) {
  if (control_ == nullptr) return;
  control_->on_cut_off(peer, clock_.local(at));
  commands_due_ = std::min(commands_due_, at);
}

void Node::set_link(bool up, TimeNs at) {
  const bool changed = std::exchange(link_up_, up) != up;
  if (changed && control_ != nullptr) tell_link(at);
}

void Node::tell_link(TimeNs at) {
  control_->on_own_link(link_up_, clock_.local(at));
  commands_due_ = std::min(commands_due_, at);
}

void Node::on_vouch(NodeId peer, TimeNs at) {
  if (control_ == nullptr) return;
  control_->on_vouch(peer, clock_.local(at));
  if (!control_->commands().empty()) commands_due_ = std::min(commands_due_, at);
}

TimeNs Node::turn(TimeNs at) {
  if (data_ == nullptr) return kNever;
  if (at < stalled_until_) return stalled_until_;
  ++turns_;
  const TimeNs now = clock_.local(at);
  if (at >= commands_due_ && control_ != nullptr) {
    commands_due_ = kNever;
    auto& commands = control_->commands();
    for (; !commands.empty() && !dies_now_; commands.pop_front()) {
      count_action();
      const PlaneCommand& command = commands.front();
      if (command.kind == PlaneCommand::Kind::Recover && (muted_ & kRefuseRecovery) != 0) {
        data_->events().push_back(
            {.kind = PlaneEvent::Kind::Refused, .view = command.plan.attempt});
      } else if (!lets_fall(command)) {
        data_->execute(command, now);
      }
    }
  }
  const std::size_t work = data_->turn(now, at < readers_paused_until_);
  // A worker that sleeps by wake_at() must not be told of a time that is over, again and again.
  idle_turns_ = work == 0 && data_->wake_at() <= now ? idle_turns_ + 1 : 0;
  if (idle_turns_ > kIdleTurnsMax) Bounds::spins(parts_.observer.facts(), data_->incarnation());
  if (!data_->events().empty()) {
    events_due_ = std::min(events_due_, at + random_.below(parts_.scenario.plane_delay + 1));
  }
  step_control(at);
  idle_from_ = at + kTurn;
  return next_turn(at);
}

void Node::step_control(TimeNs at) {
  if (control_ == nullptr || at < control_stalled_until_) return;
  const TimeNs now = clock_.local(at);
  if (at >= events_due_) {
    events_due_ = kNever;
    auto& events = data_->events();
    for (; !events.empty() && !dies_now_; events.pop_front()) {
      count_action();
      if (!lets_fall(events.front())) control_->on_event(events.front(), now);
    }
  }
  // Its view uses the next key: the old one goes.
  const std::uint32_t next = durable_.keys.next;
  if (next != 0 && control_->machine().view_key_id() == next) {
    hold_keys({.lowest = next, .next = 0}, false, at);
  }
  if (now >= control_->wake_at()) control_->on_time(data_->peers_seen(now), now);
  if (!control_->commands().empty()) {
    commands_due_ = std::min(commands_due_, at + random_.below(parts_.scenario.plane_delay + 1));
  }
}

bool Node::lets_fall(const PlaneCommand& command) const noexcept {
  return ((muted_ & kMuteFreeze) != 0 && command.kind == PlaneCommand::Kind::Freeze) ||
         ((muted_ & kMuteRecovery) != 0 && command.kind == PlaneCommand::Kind::Recover);
}

bool Node::lets_fall(const PlaneEvent& event) const noexcept {
  return (muted_ & kMutePrepare) != 0 && event.kind == PlaneEvent::Kind::Message &&
         event.message == wire::MessageKind::Prepare;
}

TimeNs Node::next_turn(TimeNs at) const noexcept {
  TimeNs next = clock_.reached(data_->wake_at());
  if (control_ != nullptr) {
    const TimeNs control = std::min(clock_.reached(control_->wake_at()), events_due_);
    next = std::min({next, std::max(control, control_stalled_until_), commands_due_});
  }
  if (at < readers_paused_until_) next = std::min(next, readers_paused_until_);
  return std::max(next, idle_from_);
}

}  // namespace phalanx::sim
