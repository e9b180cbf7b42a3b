#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "dataplane/tape/step.h"

namespace phalanx::tape {

/// Runs what is on a tape of a core again.
struct CoreReplay {
  std::uint64_t steps = 0;
  std::uint64_t images = 0;    ///< Freezes begun with.
  std::uint64_t installs = 0;  ///< Views that came of them.
  std::uint64_t spoilt = 0;    ///< Images and steps that could not be decoded, or do not fit.
  TimeNs first = 0;            ///< `now` of the first step, and of the last.
  TimeNs last = 0;
  bool differs = false;
  std::string difference;  ///< The first: which step, and that its outcome is another one now.
};
struct CoreReplayStep {
  std::uint64_t number = 0;
  const Step& step;
  std::size_t bytes = 0;
  const core::Core& core;
};
/// `each` is called after each step; it may be empty. Takes as much memory as the core had, which
/// is only touched where the tape says so. Whatever the bytes are.
[[nodiscard]] CoreReplay replay(std::span<const std::byte> file,
                                const std::function<void(const CoreReplayStep&)>& each = {});

}  // namespace phalanx::tape
