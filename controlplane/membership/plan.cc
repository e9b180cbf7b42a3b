#include "controlplane/membership/plan.h"

#include <algorithm>
#include <vector>

#include "ipc/base/assert.h"

namespace phalanx::membership {
namespace {

/// In all sets of a plan together, a lane: keeps the plan of 64 nodes and 8 lanes below 64 KiB.
constexpr std::size_t kHoldingsPerLane = 64;

/// How far this lane reaches without a gap from `position` on; `position` itself when it lacks that
/// byte.
Position reach(const wire::LaneReport& lane, Position position) noexcept {
  if (position < lane.received) return lane.received;
  for (const wire::Range& range : lane.held) {
    if (range.from <= position && position < range.to) return range.to;
  }
  return position;
}

/// One lane of one set. `ranks` are the set's members among the reports.
wire::LanePlan plan_lane(std::span<const wire::Report> reports, std::span<const std::size_t> ranks,
                         std::span<const Member> members, LaneId lane, std::size_t holdings_max) {
  wire::LanePlan plan;
  Position lowest_received = reports[ranks.front()].lanes[lane].received;
  Position highest_received = lowest_received;
  for (const std::size_t rank : ranks) {
    const wire::LaneReport& report = reports[rank].lanes[lane];
    plan.streams.push_back({report.stream_base, report.stream_end});
    plan.regular = std::max({plan.regular, report.delivered, report.stable});
    lowest_received = std::min(lowest_received, report.received);
    highest_received = std::max(highest_received, report.received);
  }

  plan.cut = lowest_received;
  while (plan.cut < highest_received || plan.holdings.size() < holdings_max) {
    wire::Holding next{{plan.cut, plan.cut}, 0};
    for (const std::size_t rank : ranks) {
      const Position end = reach(reports[rank].lanes[lane], plan.cut);
      if (end > next.range.to) next = {{plan.cut, end}, members[rank].node};
    }
    if (next.holder == 0) break;  // Nobody has the byte at the cut.
    plan.cut = next.range.to;
    plan.holdings.push_back(next);
  }
  plan.regular = std::min(plan.regular, plan.cut);
  return plan;
}

}  // namespace

wire::Plan make_plan(const wire::Prepare& attempt, LaneId lanes,
                     std::span<const wire::Report> reports) {
  PHX_CHECK(reports.size() == attempt.members.size() && !reports.empty());
  wire::Plan plan{attempt.attempt, attempt.key_id, attempt.members, {}, {}, {}};
  std::vector<ViewId> old_views;
  for (const wire::Report& report : reports) {
    PHX_CHECK(report.lanes.size() == lanes);
    plan.ballots.push_back(report.ballot);
    if (!report.old_view.is_none()) old_views.push_back(report.old_view);
  }
  std::sort(old_views.begin(), old_views.end());
  old_views.erase(std::unique(old_views.begin(), old_views.end()), old_views.end());

  for (LaneId lane = 0; lane < lanes; ++lane) {
    for (const wire::Report& report : reports) {
      plan.stream_bases.push_back(report.lanes[lane].stream_end);
    }
  }
  for (const ViewId& old_view : old_views) {
    wire::TransitionalSet set{old_view, {}, {}};
    std::vector<std::size_t> ranks;
    for (std::size_t rank = 0; rank < reports.size(); ++rank) {
      if (reports[rank].old_view != old_view) continue;
      ranks.push_back(rank);
      set.members.push_back(attempt.members[rank]);
    }
    const std::size_t holdings_max = std::max<std::size_t>(1, kHoldingsPerLane / old_views.size());
    for (LaneId lane = 0; lane < lanes; ++lane) {
      set.lanes.push_back(plan_lane(reports, ranks, attempt.members, lane, holdings_max));
    }
    plan.sets.push_back(std::move(set));
  }
  return plan;
}

const wire::TransitionalSet* set_of(const wire::Plan& plan, const ViewId& old_view) {
  if (old_view.is_none()) return nullptr;
  for (const wire::TransitionalSet& set : plan.sets) {
    if (set.old_view == old_view) return &set;
  }
  return nullptr;
}

}  // namespace phalanx::membership
