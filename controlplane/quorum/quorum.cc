#include "controlplane/quorum/quorum.h"

#include <algorithm>

#include "ipc/base/assert.h"
#include "transport/wire/ballot_codec.h"

namespace phalanx::quorum {

Quorum::Quorum(const QuorumConfig& config, NodeId self)
    : config_(config), self_(self), forgotten_(config.wait_for_all) {
  PHX_CHECK(std::ranges::binary_search(config_.nodes, self, {}, &Voter::node));
  open_.reserve(wire::Ballot::kOpenMax);
}

wire::Ballot Quorum::ballot(TimeNs now) {
  settle(now);
  return {.device_votes = device_.alive && device_.casts ? config_.device_votes : 0,
          .forgotten = forgotten_,
          .settled = settled_,
          .open = open_,
          .amendment = amendment_,
          .order = order_};
}

/// Rule (last man standing): a quorate view that lasted for the window is the electorate.
void Quorum::settle(TimeNs now) {
  if (!config_.last_man_standing || !outcome_.quorate || forgotten_) return;
  if (now < installed_at_ + config_.last_man_standing_window) return;
  settled_ = std::max(settled_, wire::Electorate{view_.sequence, outcome_.present});
  std::erase_if(open_, [this](const wire::Electorate& one) { return one <= settled_; });
}

void Quorum::note(const wire::Electorate& electorate) {
  if (electorate <= settled_) return;
  const auto at = std::ranges::lower_bound(open_, electorate);
  if (at != open_.end() && *at == electorate) return;
  if (open_.size() < wire::Ballot::kOpenMax) {
    open_.insert(at, electorate);
    return;
  }
  // Rule: who cannot remember does not vote. It took so many attempts in succession that nobody
  // is known to have installed.
  forgotten_ = true;
  settled_ = {};
  open_.clear();
}

// From this node's DONE on another member may install and tell its operator that the order is
// carried out: so it holds from here on, also if this view comes to nothing.
void Quorum::adopt(const wire::Plan& plan) {
  if (const wire::Amendment* newest = newest_amendment(config_, plan.ballots)) {
    amendment_ = std::max(amendment_, *newest);
  }
  const auto ruled = ruled_order(config_, plan.members, plan.ballots);
  if (!ruled || ruled->ruling.verdict != Verdict::Carried) return;
  if (ruled->ruling.amendment.votes.empty()) return;
  wire::Amendment amendment = ruled->ruling.amendment;
  amendment.revision = plan.attempt.sequence;
  amendment_ = std::max(amendment_, amendment);
}

void Quorum::on_plan(const wire::Plan& plan) {
  adopt(plan);
  if (!config_.last_man_standing || forgotten_) return;
  const Outcome outcome = decide(config_, plan.members, plan.ballots);
  // Rule: from its DONE on another member may install, be quorate and settle. This node may never
  // hear of it, so it needs the majority of that view as well.
  if (outcome.quorate) note({plan.attempt.sequence, outcome.present});
}

Outcome Quorum::on_install(const wire::Plan& plan, TimeNs now) {
  if (plan.attempt == view_) return outcome_;
  settle(now);
  outcome_ = decide(config_, plan.members, plan.ballots);
  view_ = plan.attempt;
  installed_at_ = now;
  adopt(plan);
  if (const auto ruled = ruled_order(config_, plan.members, plan.ballots);
      ruled && plan.members[ruled->rank].node == self_ && proposes() &&
      plan.ballots[ruled->rank].order == order_) {  // Not one that was given up since.
    ruling_ = ruled->ruling;
    order_ = {};
  }
  if (!outcome_.quorate) return outcome_;
  // Rule (wait for all): who is in a quorate view knows all that the others do.
  forgotten_ = false;
  if (!config_.last_man_standing) return outcome_;
  // Every member noted this view, and it holds a majority of each that came before: they are
  // done with.
  for (const wire::Ballot& ballot : plan.ballots) {
    if (!ballot.forgotten) settled_ = std::max(settled_, ballot.settled);
  }
  open_.clear();
  note({view_.sequence, outcome_.present});
  return outcome_;
}

Ruling Quorum::propose(const wire::Order& order) {
  // As if all members of the view had brought what this node knows: at its install they did.
  std::vector<Member> members;
  std::vector<wire::Ballot> ballots;
  for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
    if ((outcome_.present >> i & 1) == 0) continue;
    members.push_back({config_.nodes[i].node, {}});
    ballots.push_back({.device_votes = device_.alive && device_.casts ? config_.device_votes : 0,
                       .forgotten = forgotten_,
                       .settled = settled_,
                       .open = open_,
                       .amendment = amendment_,
                       .order = {}});
  }
  Ruling ruling = rule_on(config_, members, ballots, order);
  if (ruling.verdict == Verdict::Carried) {
    order_ = order;
    ruling_.reset();
  }
  return ruling;
}

std::uint32_t Quorum::votes(NodeId node) const noexcept {
  const auto voter = std::ranges::lower_bound(config_.nodes, node, {}, &Voter::node);
  if (voter == config_.nodes.end() || voter->node != node) return 0;
  if (amendment_.votes.size() != config_.nodes.size()) return voter->votes;
  return amendment_.votes[static_cast<std::size_t>(voter - config_.nodes.begin())];
}

NodeSet Quorum::electorate() const noexcept {
  return settled_.nodes == 0 ? everybody(config_) : settled_.nodes & everybody(config_);
}

NodeSet Quorum::nodes_of(std::span<const Member> members) const noexcept {
  NodeSet nodes = 0;
  for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
    const auto is_it = [&](const Member& member) { return member.node == config_.nodes[i].node; };
    if (std::ranges::any_of(members, is_it)) nodes |= NodeSet{1} << i;
  }
  return nodes;
}

// As judge_view() counts: by the configuration, and by the votes as they were changed.
bool Quorum::are_enough(NodeSet nodes, std::uint32_t more) const noexcept {
  if (votes_of(config_, nodes) + more < expected_votes(config_) / 2 + 1) return false;
  if (amendment_.votes.empty()) return true;
  for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
    if ((nodes >> i & 1) != 0) more += amendment_.votes[i];
  }
  return more >= amendment_.expected / 2 + 1;
}

bool Quorum::may_ask_device(NodeSet nodes) const noexcept {
  if (!config_.enabled || config_.device_votes == 0 || nodes == 0) return false;
  // Who has forgotten decides nothing, but with all; another member may speak for both.
  if (forgotten_ && nodes != everybody(config_)) return false;
  return are_enough(nodes, config_.device_votes);
}

bool Quorum::needs_device(NodeSet nodes) const noexcept {
  return may_ask_device(nodes) && !are_enough(nodes, 0);
}

std::vector<std::byte> Quorum::snapshot() const {
  std::vector<std::byte> out;
  wire::Writer to(out);
  // Without the own order: who gave it learns that this control plane is gone.
  wire::put(to, wire::Ballot{.forgotten = forgotten_,
                             .settled = settled_,
                             .open = open_,
                             .amendment = amendment_,
                             .order = {}});
  to.put(view_);
  to.put(installed_at_);
  to.put(static_cast<std::uint8_t>(outcome_.reason));
  for (const std::uint32_t number :
       {outcome_.expected, outcome_.highest_expected, outcome_.total, outcome_.needed}) {
    to.put(number);
  }
  to.put(outcome_.present);
  to.put(outcome_.counted);
  to.put(static_cast<std::uint8_t>(config_.nodes.size()));
  return out;
}

bool Quorum::restore(std::span<const std::byte> bytes) {
  wire::Reader from(bytes);
  wire::Ballot own = wire::take_ballot(from);
  const ViewId view = from.take_view();
  const auto installed_at = from.take<std::uint64_t>();
  const auto reason = from.take<std::uint8_t>();
  from.require(reason <= static_cast<std::uint8_t>(Reason::WaitsForAll));
  Outcome outcome{.reason = static_cast<Reason>(reason)};
  for (std::uint32_t* number :
       {&outcome.expected, &outcome.highest_expected, &outcome.total, &outcome.needed}) {
    *number = from.take<std::uint32_t>();
  }
  outcome.present = from.take<std::uint64_t>();
  outcome.counted = from.take<std::uint64_t>();
  outcome.quorate = is_quorate(outcome.reason);
  from.require(from.take<std::uint8_t>() == config_.nodes.size());
  from.require(own.amendment.votes.empty() || own.amendment.votes.size() == config_.nodes.size());
  if (!from.finished()) return false;
  amendment_ = std::move(own.amendment);
  forgotten_ = own.forgotten;
  settled_ = own.settled;
  open_ = std::move(own.open);
  view_ = view;
  installed_at_ = installed_at;
  outcome_ = outcome;
  return true;
}

}  // namespace phalanx::quorum
