#include "controlplane/quorum/quorum.h"

#include <algorithm>

#include "ipc/base/assert.h"
#include "transport/wire/ballot_codec.h"

namespace phalanx::quorum {

Quorum::Quorum(const QuorumConfig& config, NodeId self)
    : config_(config), expected_(expected_votes(config)), forgotten_(config.wait_for_all) {
  const auto voter = std::ranges::lower_bound(config_.nodes, self, {}, &Voter::node);
  PHX_CHECK(voter != config_.nodes.end() && voter->node == self);
  self_ = static_cast<std::size_t>(voter - config_.nodes.begin());
  for (const Voter& one : config_.nodes) votes_.push_back(one.votes);
  open_.reserve(wire::Ballot::kOpenMax);
}

wire::Ballot Quorum::ballot(TimeNs now) {
  settle(now);
  return {.votes = votes_[self_],
          .expected = expected_,
          .device_votes = device_.alive && device_.casts ? config_.device_votes : 0,
          .forgotten = forgotten_,
          .settled = settled_,
          .open = open_};
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

void Quorum::on_plan(const wire::Plan& plan) {
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
  for (std::size_t rank = 0; rank < plan.members.size(); ++rank) {
    const auto voter =
        std::ranges::lower_bound(config_.nodes, plan.members[rank].node, {}, &Voter::node);
    if (voter == config_.nodes.end() || voter->node != plan.members[rank].node) continue;
    votes_[static_cast<std::size_t>(voter - config_.nodes.begin())] =
        std::min(plan.ballots[rank].votes, voter->votes);
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

Change Quorum::set_votes(std::uint32_t votes) noexcept {
  if (votes > config_.nodes[self_].votes) return Change::TooHigh;
  votes_[self_] = votes;
  return Change::Done;
}

Change Quorum::set_expected(std::uint32_t expected) noexcept {
  if (config_.last_man_standing) return Change::NotWithLastManStanding;
  if (expected < std::max<std::uint32_t>(outcome_.total, 1)) return Change::TooLow;
  expected_ = expected;
  return Change::Done;
}

std::uint32_t Quorum::votes(NodeId node) const noexcept {
  const auto voter = std::ranges::lower_bound(config_.nodes, node, {}, &Voter::node);
  if (voter == config_.nodes.end() || voter->node != node) return 0;
  return votes_[static_cast<std::size_t>(voter - config_.nodes.begin())];
}

NodeSet Quorum::electorate() const noexcept {
  return settled_.nodes == 0 ? everybody(config_) : settled_.nodes & everybody(config_);
}

std::vector<std::byte> Quorum::snapshot() const {
  std::vector<std::byte> out;
  wire::Writer to(out);
  wire::put(to, wire::Ballot{.votes = votes_[self_],
                             .expected = expected_,
                             .forgotten = forgotten_,
                             .settled = settled_,
                             .open = open_});
  to.put(view_);
  to.put(installed_at_);
  to.put(static_cast<std::uint8_t>(outcome_.reason));
  for (const std::uint32_t number :
       {outcome_.expected, outcome_.highest_expected, outcome_.total, outcome_.needed}) {
    to.put(number);
  }
  to.put(outcome_.present);
  to.put(outcome_.counted);
  to.put(static_cast<std::uint8_t>(votes_.size()));
  for (const std::uint32_t votes : votes_) to.put(votes);
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
  std::vector<std::uint32_t> votes(from.take_count<std::uint8_t>(kNodesMax, 4));
  for (std::uint32_t& one : votes) one = from.take<std::uint32_t>();
  if (!from.finished() || votes.size() != votes_.size()) return false;
  expected_ = own.expected;
  forgotten_ = own.forgotten;
  settled_ = own.settled;
  open_ = std::move(own.open);
  view_ = view;
  installed_at_ = installed_at;
  outcome_ = outcome;
  votes_ = std::move(votes);
  return true;
}

}  // namespace phalanx::quorum
