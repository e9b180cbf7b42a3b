#include "tests/sim/control_plane.h"

#include <string>

namespace phalanx::sim {
namespace {

membership::MembershipConfig machine_config(const Scenario& scenario, Member self,
                                            const KeysHeld& keys) {
  membership::MembershipConfig config;
  config.self = self;
  for (NodeId node = 1; node <= scenario.nodes; ++node) config.nodes.push_back(node);
  config.lanes = scenario.lanes;
  config.config_hash = 0xC0FFEE;
  config.key_id_lowest = config.key_id_highest = keys.lowest;
  config.key_id_next = keys.next;
  config.dead_after = scenario.dead_after;
  config.stall_after = scenario.stall_after;
  config.hold_min = scenario.hold_min;
  config.hold_max = scenario.hold_max;
  return config;
}

/// The default: a majority of one vote each.
quorum::QuorumConfig votes(const Scenario& scenario) {
  quorum::QuorumConfig config;
  for (NodeId node = 1; node <= scenario.nodes; ++node) config.nodes.push_back({node, 1});
  return config;
}

}  // namespace

ControlPlane::ControlPlane(const Scenario& scenario, Member self, Durable& durable, Trace& trace)
    : self_(self),
      durable_(durable),
      trace_(trace),
      machine_(machine_config(scenario, self, durable.keys), durable.sequence_reserved),
      quorum_(votes(scenario), self.node) {}

void ControlPlane::start(TimeNs now) { execute(machine_.start(now), now); }

bool ControlPlane::restore(TimeNs now) {
  if (!quorum_.restore(durable_.votes)) return false;
  const auto actions = machine_.restore(durable_.snapshot, now);
  if (!actions) return false;
  execute(*actions, now);
  return true;
}

void ControlPlane::on_event(const PlaneEvent& event, TimeNs now) {
  switch (event.kind) {
    case PlaneEvent::Kind::Message:
      return execute(machine_.on_message(event.from, event.message, event.bytes, now), now);
    case PlaneEvent::Kind::Frozen: {
      wire::Report report = event.report;
      report.ballot = quorum_.ballot(now);
      return execute(machine_.on_frozen(report, now), now);
    }
    case PlaneEvent::Kind::Recovered:
      return execute(machine_.on_recovered(event.view, now), now);
    case PlaneEvent::Kind::Installed:
      execute(machine_.on_installed(event.view, now), now);
      // Another node's order came first, or the ballot was cast before this one.
      if (quorum_.proposes()) execute(machine_.renew(now), now);
      return;
    case PlaneEvent::Kind::Refused:
      return execute(machine_.on_refused(event.view, now), now);
  }
}

void ControlPlane::order_votes(std::uint64_t draw, TimeNs now) {
  using Kind = wire::Order::Kind;
  const std::size_t nodes = quorum_.config().nodes.size();
  wire::Order order{.kind = draw % 3 == 0 ? Kind::Expected : Kind::Votes,
                    .index = 0,
                    .number = static_cast<std::uint32_t>(draw / 3 % (nodes + 2))};
  if (order.kind == Kind::Votes) {
    order.index = static_cast<std::uint8_t>(draw / 1024 % nodes);
    order.number %= 4;
  }
  const quorum::Verdict verdict = quorum_.propose(order).verdict;
  trace_.line(self_.node, "order", "%s node %zu number %u: %s",
              order.kind == Kind::Votes ? "votes" : "expected", std::size_t{order.index} + 1,
              order.number, std::string(to_string(verdict)).c_str());
  if (verdict == quorum::Verdict::Carried) execute(machine_.renew(now), now);
}

void ControlPlane::on_time(std::span<const membership::PeerSeen> seen, TimeNs now) {
  execute(machine_.on_seen(seen, now), now);
  execute(machine_.on_time(now), now);
}

void ControlPlane::execute(const membership::Actions& actions, TimeNs now) {
  wake_at_ = actions.wake_at;
  if (trace_.on()) trace_actions(actions);
  if (actions.reserve_sequence) durable_.sequence_reserved = *actions.reserve_sequence;
  if (actions.recover) quorum_.on_plan(*actions.recover);
  if (actions.install) (void)quorum_.on_install(*actions.install, now);
  if (keep_snapshots_) {
    durable_.snapshot = machine_.snapshot();
    durable_.votes = quorum_.snapshot();
  }
  if (actions.freeze)
    commands_.push_back({.kind = PlaneCommand::Kind::Freeze, .attempt = machine_.attempt()});
  if (actions.recover)
    commands_.push_back({.kind = PlaneCommand::Kind::Recover, .plan = *actions.recover});
  if (actions.install)
    commands_.push_back({.kind = PlaneCommand::Kind::Install,
                         .plan = *actions.install,
                         .quorate = quorum_.outcome().quorate,
                         .amendment = quorum_.amendment()});
  for (const membership::Send& send : actions.sends) {
    commands_.push_back({.kind = PlaneCommand::Kind::Send, .send = send});
  }
}

void ControlPlane::trace_actions(const membership::Actions& actions) {
  if (actions.reserve_sequence) {
    trace_.line(self_.node, "act", "reserve %llu",
                static_cast<unsigned long long>(*actions.reserve_sequence));
  }
  if (!actions.freeze && !actions.recover && !actions.install) return;
  trace_.line(self_.node, "act", "%s%s%s attempt %s state %s view %s",
              actions.freeze ? "freeze " : "", actions.recover ? "recover " : "",
              actions.install ? "install " : "", to_string(machine_.attempt()).c_str(),
              std::string(to_string(machine_.state())).c_str(), to_string(machine_.view()).c_str());
}

}  // namespace phalanx::sim
