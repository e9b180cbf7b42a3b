#include "ipc/base/assert.h"
#include "transport/wire/ballot_codec.h"
#include "transport/wire/codec.h"
#include "transport/wire/messages.h"

namespace phalanx::wire {
namespace {

constexpr std::size_t kHoldingBytes = 20;
constexpr std::size_t kSetBytes = 28 + 1;

void put(Writer& to, const LanePlan& lane) {
  PHX_CHECK(lane.holdings.size() <= kHoldingsMax);
  to.put(lane.cut);
  to.put(lane.regular);
  for (const Range& stream : lane.streams) {
    to.put(stream.from);
    to.put(stream.to);
  }
  to.put(static_cast<std::uint16_t>(lane.holdings.size()));
  for (const Holding& holding : lane.holdings) {
    to.put(holding.range.from);
    to.put(holding.range.to);
    to.put(holding.holder);
  }
}

bool contains(std::span<const Member> members, NodeId node) noexcept {
  return std::any_of(members.begin(), members.end(),
                     [node](const Member& member) { return member.node == node; });
}

/// Holdings follow one another without a gap and end at the cut; each has a holder of the set.
std::vector<Holding> take_holdings(Reader& from, Position cut, std::span<const Member> members) {
  std::vector<Holding> holdings(from.take_count<std::uint16_t>(kHoldingsMax, kHoldingBytes));
  for (std::size_t i = 0; i < holdings.size(); ++i) {
    Holding& holding = holdings[i];
    holding.range.from = from.take<std::uint64_t>();
    holding.range.to = from.take<std::uint64_t>();
    holding.holder = from.take<std::uint32_t>();
    from.require(holding.range.from < holding.range.to && contains(members, holding.holder));
    if (i > 0) from.require(holding.range.from == holdings[i - 1].range.to);
  }
  if (!holdings.empty()) from.require(holdings.back().range.to == cut);
  return holdings;
}

LanePlan take_lane_plan(Reader& from, std::span<const Member> members) {
  LanePlan lane;
  lane.cut = from.take<std::uint64_t>();
  lane.regular = from.take<std::uint64_t>();
  from.require(lane.regular <= lane.cut);
  lane.streams.resize(members.size());
  for (Range& stream : lane.streams) {
    stream.from = from.take<std::uint64_t>();
    stream.to = from.take<std::uint64_t>();
    from.require(stream.from <= stream.to);
  }
  lane.holdings = take_holdings(from, lane.cut, members);
  return lane;
}

/// Set members are new members too, each in one set at most: `ranks_used` has a flag a new member.
bool claim(const TransitionalSet& set, std::span<const Member> members,
           std::span<bool> ranks_used) noexcept {
  for (const Member& member : set.members) {
    const auto it = std::find(members.begin(), members.end(), member);
    if (it == members.end()) return false;
    bool& used = ranks_used[static_cast<std::size_t>(it - members.begin())];
    if (used) return false;
    used = true;
  }
  return !set.members.empty();
}

}  // namespace

void encode(const Plan& plan, std::vector<std::byte>& out) {
  PHX_CHECK(!plan.members.empty() && plan.members.size() <= kNodesMax);
  PHX_CHECK(plan.stream_bases.size() % plan.members.size() == 0);
  PHX_CHECK(plan.ballots.size() == plan.members.size());
  const std::size_t lanes = plan.stream_bases.size() / plan.members.size();
  PHX_CHECK(lanes <= kLanesMax && plan.sets.size() <= kNodesMax);

  Writer to(out);
  to.put(plan.attempt);
  to.put(plan.key_id);
  to.put(plan.members);
  to.put(static_cast<std::uint8_t>(lanes));
  for (const Position base : plan.stream_bases) to.put(base);
  to.put(static_cast<std::uint8_t>(plan.sets.size()));
  for (const TransitionalSet& set : plan.sets) {
    PHX_CHECK(set.members.size() <= kNodesMax && set.lanes.size() == lanes);
    to.put(set.old_view);
    to.put(set.members);
    for (const LanePlan& lane : set.lanes) {
      PHX_CHECK(lane.streams.size() == set.members.size());
      put(to, lane);
    }
  }
  for (const Ballot& ballot : plan.ballots) put(to, ballot);
}

std::optional<Plan> decode_plan(std::span<const std::byte> bytes) {
  Reader from(bytes);
  Plan plan;
  plan.attempt = from.take_some_view();
  plan.key_id = from.take<std::uint32_t>();
  plan.members = from.take_members();
  if (!from.require(!plan.members.empty())) return std::nullopt;

  const std::size_t lanes =
      from.take_count<std::uint8_t>(kLanesMax, plan.members.size() * sizeof(Position));
  plan.stream_bases.resize(lanes * plan.members.size());
  for (Position& base : plan.stream_bases) base = from.take<std::uint64_t>();

  plan.sets.resize(from.take_count<std::uint8_t>(kNodesMax, kSetBytes));
  bool ranks_used[kNodesMax] = {};
  ViewId before;
  for (TransitionalSet& set : plan.sets) {
    set.old_view = from.take_some_view();
    from.require(before < set.old_view);
    before = set.old_view;
    set.members = from.take_members();
    if (!from.require(claim(set, plan.members, ranks_used))) return std::nullopt;
    for (std::size_t lane = 0; lane < lanes && from.ok(); ++lane) {
      set.lanes.push_back(take_lane_plan(from, set.members));
    }
  }
  for (std::size_t rank = 0; rank < plan.members.size() && from.ok(); ++rank) {
    plan.ballots.push_back(take_ballot(from));
  }
  if (!from.finished()) return std::nullopt;
  return plan;
}

}  // namespace phalanx::wire
