#include "config/draft.h"
#include "config/schema.h"
#include "config/value.h"

namespace phalanx::config {

std::string lane_groups_allowed() {
  return "\"NAME\" = LANE: a name of 1 to " + std::to_string(kGroupNameBytesMax) +
         " bytes, a lane below cluster.lanes; at most " + std::to_string(kLaneGroupsMax) + " lines";
}

std::string_view lane_groups_text() noexcept {
  return "Puts groups into lanes by their exact names; all other groups are spread over the lanes "
         "by a hash of theirs. Groups of one lane share one order; a busy group alone in a lane "
         "keeps nobody waiting. A replicated state's group must be in lane 0.";
}

void check_lane_groups(Draft& draft) {
  const auto& groups = draft.config.lane.groups;
  const LaneId lanes = draft.config.cluster.lanes;
  for (const GroupLane& group : groups) {
    if (group.lane < lanes) continue;
    draft.error(draft.place({std::string(kLaneGroups) + "." + group.name, kLaneGroups}),
                std::string(kLaneGroups) + ": " + in_quotes(group.name) + " = " +
                    std::to_string(group.lane) + ", and cluster.lanes = " + std::to_string(lanes),
                lanes == 1 ? "lane 0" : "lanes 0 to " + std::to_string(lanes - 1),
                "take one of these, or set cluster.lanes = " + std::to_string(group.lane + 1) +
                    " or more on all nodes");
  }
  if (groups.size() <= kLaneGroupsMax) return;
  draft.error(draft.place({kLaneGroups}),
              std::string(kLaneGroups) + " names " + std::to_string(groups.size()) + " groups",
              "at most " + std::to_string(kLaneGroupsMax),
              "take those out for which any lane will do");
}

}  // namespace phalanx::config
