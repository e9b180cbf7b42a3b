#pragma once

#include "ipc/base/ids.h"

namespace phalanx::core {

/// The lanes that one worker turns: of all lanes of the cluster every `step`-th, from `first` on.
/// The same on every node, so that a lane's frames always meet the same worker. Plain data.
///   for (LaneId id = share.first; id < share.lanes; id += share.step) ...
struct LaneShare {
  LaneId lanes = 1;  ///< Of the cluster: 1 to kLanesMax.
  LaneId first = 0;  ///< Below `step`, and below `lanes`.
  LaneId step = 1;   ///< How many workers share them; 1: this one has all.

  [[nodiscard]] constexpr bool is_sound() const noexcept {
    return lanes >= 1 && lanes <= kLanesMax && step >= 1 && first < step && first < lanes;
  }
  [[nodiscard]] constexpr bool has(LaneId lane) const noexcept {
    return lane < lanes && lane % step == first;
  }
  [[nodiscard]] constexpr LaneId count() const noexcept {
    return static_cast<LaneId>((lanes - first + step - 1) / step);
  }

  friend bool operator==(const LaneShare&, const LaneShare&) = default;
};

}  // namespace phalanx::core
