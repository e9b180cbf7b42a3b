#pragma once

#include <array>
#include <memory>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/core/lane.h"

namespace phalanx::core {

struct Core::Impl {
  CoreConfig config;
  ViewInfo view;
  std::vector<std::unique_ptr<Lane>> lanes;  ///< Of the share.
  std::array<Lane*, kLanesMax> by_id{};      ///< nullptr: not of the share.
  bool frozen = true;
  bool planned = false;       ///< begin_recovery() took the plan of `attempt`.
  bool from_nothing = false;  ///< ... and this node has no old view to recover.
  ViewId attempt;

  [[nodiscard]] Lane& lane(LaneId id) const noexcept { return *by_id[id]; }
  [[nodiscard]] Lane* find(LaneId id) const noexcept {
    return id < kLanesMax ? by_id[id] : nullptr;
  }
};

}  // namespace phalanx::core
