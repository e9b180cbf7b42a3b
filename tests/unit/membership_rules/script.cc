#include "tests/unit/membership_rules/script.h"

#include <gtest/gtest.h>

#include "controlplane/membership/plan.h"

namespace phalanx::membership::script {

std::optional<wire::Prepare> sent_prepare(const Actions& actions) {
  const Send* send = sent(actions, wire::MessageKind::Prepare);
  return send ? wire::decode_prepare(send->bytes) : std::nullopt;
}

std::optional<wire::Hello> sent_hello(const Actions& actions) {
  const Send* send = sent(actions, wire::MessageKind::Hello);
  return send ? wire::decode_hello(send->bytes) : std::nullopt;
}

std::optional<wire::Refusal> sent_refusal(const Actions& actions) {
  const Send* send = sent(actions, wire::MessageKind::Refusal);
  return send ? wire::decode_refusal(send->bytes) : std::nullopt;
}

std::optional<wire::Report> sent_report(const Actions& actions) {
  const Send* send = sent(actions, wire::MessageKind::Report);
  return send ? wire::decode_report(send->bytes) : std::nullopt;
}

wire::Plan empty_plan(const wire::Prepare& prepare, const std::vector<ViewId>& old_views) {
  std::vector<wire::Report> reports;
  for (std::size_t rank = 0; rank < prepare.members.size(); ++rank) {
    reports.push_back(report_of(prepare.attempt, old_views.empty() ? ViewId{} : old_views[rank]));
  }
  return make_plan(prepare, 1, reports);
}

ViewId install_first_view(Membership& machine, NodeId self, TimeNs now) {
  const std::vector<Member> all = nodes({1, 2, 3});
  (void)machine.start(0);
  wire::Prepare prepare{view_id(1, 1), 0, all};
  for (const Member& other : all) {
    if (other.node != self) (void)tell(machine, other, hello_from(other.node, all), now);
  }
  if (self == 1) {
    EXPECT_EQ(machine.state(), State::Prepare);
    prepare.attempt = machine.attempt();
    (void)machine.on_frozen(report_of(prepare.attempt), now);
    for (const NodeId other : {2u, 3u}) {
      (void)tell(machine, node(other), report_of(prepare.attempt), now);
    }
  } else {
    (void)tell(machine, node(1), prepare, now);
    (void)machine.on_frozen(report_of(prepare.attempt), now);
    (void)tell(machine, node(1), empty_plan(prepare), now);
  }
  (void)machine.on_recovered(prepare.attempt, now);
  Actions last;
  for (const Member& other : all) {
    if (other.node != self) last = tell(machine, other, wire::Done{prepare.attempt}, now);
  }
  EXPECT_TRUE(last.install.has_value());
  (void)machine.on_installed(prepare.attempt, now);
  EXPECT_EQ(machine.state(), State::Operational);
  return machine.view();
}

Actions on_time_hearing(Membership& machine, std::initializer_list<NodeId> peers, TimeNs now) {
  std::vector<PeerSeen> rows;
  for (const NodeId peer : peers) rows.push_back({peer, now, now, false});
  (void)machine.on_seen(rows, now);
  return machine.on_time(now);
}

}  // namespace phalanx::membership::script
