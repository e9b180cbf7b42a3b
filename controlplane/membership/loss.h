#pragma once

#include <cstdint>
#include <string_view>

#include "ipc/base/ids.h"

namespace phalanx::membership {

/// Why this node did not go on with a member: the rule of membership.md that came first.
enum class LossRule : std::uint8_t {
  None,
  Obituary,        ///< Proof of death.
  Restarted,       ///< Another incarnation of the node was heard.
  Leave,           ///< It asked to be let go.
  ItsLink,         ///< Its own word: its link is down.
  OwnLink,         ///< This node's link is down.
  OwnWorker,       ///< This node's worker did not answer twice: it goes on alone.
  Configuration,   ///< It runs with another one now.
  DeadAfter,       ///< Silent in both planes.
  StallAfter,      ///< Silent, while its control plane vouched or nobody could.
  NoProgress,      ///< Heard, but its worker received nothing new for stall_after.
  NoControlPlane,  ///< Its control plane was away while a view change waited for it.
  NoAnswer,        ///< It speaks, but did not answer two attempts.
  OtherView,       ///< It went on in another view.
  Others,          ///< Heard well here: another member lost it, or the representative did.
};

/// "obituary", "dead_after", ...: one word or a few, for logs and status.
[[nodiscard]] std::string_view to_string(LossRule rule) noexcept;

/// A member of the last view that is not in this one.
struct Loss {
  Member member;
  LossRule rule = LossRule::None;

  friend bool operator==(const Loss&, const Loss&) = default;
};

}  // namespace phalanx::membership
