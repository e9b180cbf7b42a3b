#pragma once

#include <memory>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/core/lane.h"

namespace phalanx::core {

struct Core::Impl {
  CoreConfig config;
  ViewInfo view;
  std::vector<std::unique_ptr<Lane>> lanes;
  bool frozen = true;
  bool planned = false;       ///< begin_recovery() took the plan of `attempt`.
  bool from_nothing = false;  ///< ... and this node has no old view to recover.
  ViewId attempt;
};

}  // namespace phalanx::core
