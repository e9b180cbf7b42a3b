#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/ids.h"

namespace phalanx::wire {

/// What control planes tell one another on behalf of an administrator. Whoever carries a question
/// to the others repeats it until each has answered with the same number.
struct OrderWord {
  enum class Kind : std::uint8_t {
    Check = 1,  ///< Read your configuration: may it take the place of the one that runs?
    Apply,      ///< Take what was checked under this number.
    Forget,     ///< Forget it: another node refused.
    Remove,     ///< Leave; the text is why.
    Yes,        ///< So it is. Of a Check: the text lists what changes.
    No,         ///< The text is why not.
    Keys,  ///< Which cluster keys do you hold? Answered by Yes, controlplane/security/key_state.h.
    HoldNext,  ///< Hold the next key beside the one in use; the text names it. Yes once it is so.
    GoOver,    ///< Go over to that key with the next view; the text names it.
  };
  Kind kind = Kind::Check;
  bool dry = false;          ///< A Check after which nothing is applied.
  std::uint32_t number = 0;  ///< Drawn by who asks; never 0.
  NodeId to = 0;             ///< Whom it is for.
  std::string text;          ///< At most kOrderTextBytes.

  friend bool operator==(const OrderWord&, const OrderWord&) = default;
};

}  // namespace phalanx::wire
