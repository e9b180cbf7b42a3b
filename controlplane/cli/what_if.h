#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "controlplane/quorum/rules.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// Which nodes a question is about, by configured index.
struct WhatIf {
  std::vector<NodeId> up;
  std::vector<NodeId> down;
};

/// "n1,n3-down": these are down, the others up. "n1,n3" or "n1,n3-up": only these are up.
[[nodiscard]] Expected<WhatIf, Error> parse_what_if(const std::string& text,
                                                    const config::Config& config);

/// What a view of those nodes would be, after one of all nodes that lasted.
[[nodiscard]] quorum::Outcome outcome_of(const std::vector<NodeId>& nodes,
                                         const config::Config& config);

}  // namespace phalanx::cli
