#pragma once

#include <cstdlib>
#include <memory>
#include <optional>

#include "dataplane/tape/core_tape.h"

namespace phalanx::sim {

/// A core's tape (--tapes): all that it kept must replay to the same outcomes.
class Taped {
 public:
  Taped(bool on, const core::CoreConfig& config, std::size_t nodes);

  [[nodiscard]] tape::CoreTape& tape() noexcept { return tape_; }
  /// Replays what is on the tape and begins an empty one. Throws a Violation.
  void check(const core::Core& core, TimeNs now);

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  void renew();

  bool on_;
  core::CoreConfig config_;
  std::size_t nodes_;
  std::unique_ptr<std::byte, Free> memory_;  ///< Pages that are not written are never there.
  tape::CoreTape tape_;
};

}  // namespace phalanx::sim
