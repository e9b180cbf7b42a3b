#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "controlplane/membership/membership.h"

namespace phalanx::membership::script {

/// Node `id` in its `life`-th incarnation.
inline Member node(NodeId id, std::uint8_t life = 1) {
  Member member{id, {}};
  member.boot.bytes[0] = static_cast<std::uint8_t>(id);
  member.boot.bytes[1] = life;
  return member;
}

inline std::vector<Member> nodes(std::initializer_list<NodeId> ids) {
  std::vector<Member> members;
  for (const NodeId id : ids) members.push_back(node(id));
  return members;
}

/// Three configured nodes (unless told otherwise), one lane, defaults.
inline MembershipConfig config_of(NodeId self, std::vector<NodeId> all = {1, 2, 3}) {
  MembershipConfig config;
  config.self = node(self);
  config.nodes = std::move(all);
  return config;
}

inline ViewId view_id(std::uint64_t sequence, NodeId representative) {
  return {sequence, representative, node(representative).boot};
}

inline wire::Hello hello_from(NodeId from, std::vector<Member> others, ViewId view = {},
                              std::uint64_t seen = 0) {
  wire::Hello hello;
  hello.view = view;
  hello.sequence_seen = seen;
  std::erase_if(others, [from](const Member& m) { return m.node == from; });
  hello.heard = std::move(others);
  if (!view.is_none()) hello.view_members = static_cast<std::uint8_t>(hello.heard.size() + 1);
  return hello;
}

inline wire::Report report_of(const ViewId& attempt, const ViewId& old_view = {},
                              std::size_t lanes = 1) {
  return {attempt, old_view, std::vector<wire::LaneReport>(lanes)};
}

inline wire::MessageKind kind_of(const wire::Hello&) { return wire::MessageKind::Hello; }
inline wire::MessageKind kind_of(const wire::Prepare&) { return wire::MessageKind::Prepare; }
inline wire::MessageKind kind_of(const wire::Refusal&) { return wire::MessageKind::Refusal; }
inline wire::MessageKind kind_of(const wire::Report&) { return wire::MessageKind::Report; }
inline wire::MessageKind kind_of(const wire::Plan&) { return wire::MessageKind::Plan; }
inline wire::MessageKind kind_of(const wire::Done&) { return wire::MessageKind::Done; }

/// The node under test hears a message.
Actions tell(Membership& machine, Member from, const auto& message, TimeNs now) {
  std::vector<std::byte> bytes;
  wire::encode(message, bytes);
  return machine.on_message(from, kind_of(message), bytes, now);
}

/// Whether such a message goes out, and the message.
inline const Send* sent(const Actions& actions, wire::MessageKind kind) {
  for (const Send& send : actions.sends) {
    if (send.kind == kind) return &send;
  }
  return nullptr;
}
std::optional<wire::Prepare> sent_prepare(const Actions& actions);
std::optional<wire::Hello> sent_hello(const Actions& actions);
std::optional<wire::Refusal> sent_refusal(const Actions& actions);
std::optional<wire::Report> sent_report(const Actions& actions);

/// Plays all others until `machine` (of `self`, no view yet, started at 0) has installed the first
/// view of all three nodes, at about `now`. Returns that view.
ViewId install_first_view(Membership& machine, NodeId self, TimeNs now = kMillisecond);

/// The plan of an attempt to which everybody reported an empty old view.
wire::Plan empty_plan(const wire::Prepare& prepare, const std::vector<ViewId>& old_views = {});

/// What the control plane does at a wake-up when the worker hears all peers.
Actions on_time_hearing(Membership& machine, std::initializer_list<NodeId> peers, TimeNs now);

}  // namespace phalanx::membership::script
