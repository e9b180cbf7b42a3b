#include "dataplane/daemon/lane_groups.h"

#include <algorithm>
#include <vector>

#include "ipc/shm/group_id.h"

namespace phalanx::dataplane {

Expected<shm::LaneMap, Error> lane_map(const config::Config& config) {
  std::vector<shm::MappedGroup> groups;
  for (const config::GroupLane& group : config.lane.groups) {
    groups.push_back(
        {.group = shm::group_id(group.name.data(), group.name.size()), .lane = group.lane});
  }
  std::ranges::sort(groups, {}, &shm::MappedGroup::group);
  shm::LaneMap map;
  if (map.assign(config.cluster.lanes, groups)) return map;
  // Of what was checked when it was read nothing else is left.
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "cannot use lane.groups",
                    .observed = "two of its names have one id: they are one group to all nodes",
                    .remedy = "rename one of the two groups"});
}

}  // namespace phalanx::dataplane
