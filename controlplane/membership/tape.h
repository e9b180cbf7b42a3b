#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/membership/input.h"
#include "controlplane/membership/membership.h"
#include "ipc/recorder/tape.h"

namespace phalanx::membership {

inline constexpr recorder::TapeLayout kTapeLayout{.magic = 0x3150415458485002,
                                                  .segment_bytes = std::size_t{1} << 20};

/// Writes each step of one Membership into memory that outlives the process. One thread.
class Tape {
 public:
  /// kTapeLayout.bytes() of memory, zeros, borrowed.
  explicit Tape(std::span<std::byte> memory) : writer_(memory, kTapeLayout) {}

  /// A new machine, to which nothing has happened: what was on the tape stays as long as there is
  /// room.
  void begin(const Membership& membership);
  /// After apply(): what went in and what came of it.
  void step(const Membership& membership, const Input& input, const Outcome& outcome);

 private:
  void turn_over(const Membership& membership);

  recorder::TapeWriter writer_;
  bool whole_ = false;  ///< The current segment begins with an image.
  std::vector<std::byte> scratch_;
};

/// Runs what is on a tape again.
struct Replay {
  std::uint64_t steps = 0;
  std::uint64_t images = 0;  ///< Machines begun with.
  std::uint64_t spoilt = 0;  ///< Images and steps that could not be decoded.
  TimeNs first = 0;          ///< `now` of the first step, and of the last.
  TimeNs last = 0;
  bool differs = false;
  std::string difference;  ///< The first: which step, what was recorded, what came now.
};
struct ReplayStep {
  std::uint64_t number = 0;
  const Input& input;
  const Outcome& outcome;  ///< What came of it now.
  const Membership& membership;
};
/// `each` is called after each step; it may be empty.
[[nodiscard]] Replay replay(std::span<const std::byte> file,
                            const std::function<void(const ReplayStep&)>& each = {});

}  // namespace phalanx::membership
