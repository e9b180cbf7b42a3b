#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace phalanx::config {

/// Keys in which two configurations of one node differ, by what it takes for them to take effect.
struct Changes {
  std::vector<std::string> live;     ///< A reload.
  std::vector<std::string> restart;  ///< A restart; of all nodes where they must be equal.

  [[nodiscard]] bool none() const noexcept { return live.empty() && restart.empty(); }
  friend bool operator==(const Changes&, const Changes&) = default;
};

[[nodiscard]] Changes diff(const Config& running, const Config& wanted);

/// Gives `running` those values of `wanted` that a reload changes.
void take_live(Config& running, const Config& wanted);

}  // namespace phalanx::config
