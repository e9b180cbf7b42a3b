#pragma once

#include <vector>

#include "controlplane/membership/loss.h"
#include "controlplane/quorum/quorum.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// A view that took the place of another one.
struct ViewChange {
  ViewId view;
  std::vector<Member> members;
  std::vector<membership::Loss> left;  ///< Members of the old view that are not in the new one.
  std::vector<Member> joined;          ///< The other way round.
  quorum::Outcome quorum;
  TimeNs took = 0;  ///< Since the old view stopped being left alone; 0 for a re-adopted one.
};

}  // namespace phalanx::controlplane
