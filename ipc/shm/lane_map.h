#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/ids.h"

namespace phalanx::shm {

/// A group that is in a lane because the configuration says so.
struct MappedGroup {
  GroupId group = 0;
  std::uint32_t lane = 0;
  std::uint32_t unused = 0;
};
static_assert(sizeof(MappedGroup) == 16);

inline constexpr std::size_t kGroupsMappedMax = 256;

/// In which lane a group is: where the configuration puts it, else where its id does. The same on
/// all nodes, in their workers and in every client. A value; needs libc only.
class LaneMap {
 public:
  /// All groups by their ids.
  explicit LaneMap(LaneId lanes = 1) noexcept : lanes_(lanes) {}

  /// False, and nothing is changed, unless there are lanes, the groups are sorted by their ids,
  /// each once, and no more than kGroupsMappedMax, and every one's lane is there.
  [[nodiscard]] bool assign(std::uint32_t lanes, std::span<const MappedGroup> groups) noexcept {
    if (lanes == 0 || lanes > kLanesMax || groups.size() > kGroupsMappedMax) return false;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].lane >= lanes || (i > 0 && groups[i - 1].group >= groups[i].group))
        return false;
    }
    std::copy(groups.begin(), groups.end(), groups_);
    count_ = groups.size();
    lanes_ = static_cast<LaneId>(lanes);
    return true;
  }

  /// Bounded, and two comparisons where the configuration names no group.
  [[nodiscard]] LaneId lane_of(GroupId group) const noexcept {
    if (lanes_ == 1) return 0;
    if (count_ != 0) {
      const MappedGroup* end = groups_ + count_;
      const MappedGroup* found = std::lower_bound(
          groups_, end, group, [](const MappedGroup& m, GroupId id) { return m.group < id; });
      if (found != end && found->group == group) return static_cast<LaneId>(found->lane);
    }
    return static_cast<LaneId>(group % lanes_);
  }

  [[nodiscard]] LaneId lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::span<const MappedGroup> groups() const noexcept { return {groups_, count_}; }

 private:
  LaneId lanes_;
  std::size_t count_ = 0;
  MappedGroup groups_[kGroupsMappedMax];
};

}  // namespace phalanx::shm
