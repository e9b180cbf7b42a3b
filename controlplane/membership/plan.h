#pragma once

#include <span>

#include "ipc/base/ids.h"
#include "transport/wire/messages.h"

namespace phalanx::membership {

/// From the reports of all members (in their order, each with `lanes` lanes) to the one plan that
/// all of them carry out. Pure. Per set of members with one old view and per lane: the cut is the
/// longest prefix that the union holds; regular (T) the most that anyone delivered or knows to be
/// stable; each stretch of [lowest received, cut) is given to the holder that reaches furthest, the
/// lowest-ranked of those. Where the log above all `received` is so torn that this takes too many
/// stretches the cut is lower: nobody delivered those bytes, their origins send them again in their
/// tails.
[[nodiscard]] wire::Plan make_plan(const wire::Prepare& attempt, LaneId lanes,
                                   std::span<const wire::Report> reports);

/// The set of the plan that comes from this view; nullptr for a node without one, or a stranger's
/// plan.
[[nodiscard]] const wire::TransitionalSet* set_of(const wire::Plan& plan, const ViewId& old_view);

}  // namespace phalanx::membership
