#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/core/core.h"
#include "ipc/recorder/tape.h"

namespace phalanx::tape {

inline constexpr recorder::TapeLayout kTapeLayout{.magic = 0x32504154454e4c03,
                                                  .segment_bytes = std::size_t{8} << 20};

/// Which call of a core. Numbers are part of a tape's layout.
enum class StepKind : std::uint8_t {
  Report = 1,  ///< bytes: the attempt.
  Plan,        ///< bytes: the encoded plan. flag: it was taken.
  Install,     ///< bytes: likewise. flag: quorate.
  Frame,       ///< bytes: the opened payload. flag: the frame's type; lane, sender, position.
  Time,
  Poll,  ///< position: so many items at most.
  Freeze,
  Readers,   ///< bytes: where each lane's local reader is since the step before.
  Reserve,   ///< position: so many bytes, in `lane`. outcome: whether there was room.
  Commit,    ///< bytes: the record's header and payload, in `lane`.
  Cancel,    ///< In `lane`.
  Distrust,  ///< flag: whether.
};
inline constexpr StepKind kLastStepKind = StepKind::Distrust;
[[nodiscard]] std::string_view to_string(StepKind kind) noexcept;

/// One call and what came of it.
struct Step {
  StepKind kind = StepKind::Time;
  std::uint8_t flag = 0;
  LaneId lane = 0;
  NodeId sender = 0;
  TimeNs now = 0;
  Position position = 0;
  std::uint64_t outcome = 0;  ///< A digest of the answer and of the core afterwards.
};

inline constexpr std::size_t kStepBytes = 32;
[[nodiscard]] std::array<std::byte, kStepBytes> encode(const Step& step) noexcept;
/// Empty when it is too short or of no kind.
[[nodiscard]] std::optional<Step> decode_step(std::span<const std::byte> bytes) noexcept;

/// The answers' digests: the same functions where it happens and where it is replayed.
[[nodiscard]] std::uint64_t outcome_of_report(std::span<const std::byte> encoded) noexcept;
[[nodiscard]] std::uint64_t outcome_of(const core::Core& core, bool taken) noexcept;
[[nodiscard]] std::uint64_t outcome_of(std::span<const core::TxItem> items) noexcept;
[[nodiscard]] std::uint64_t outcome_of_install(const core::Core& core) noexcept;

/// The configuration that a core was made with, before its image.
void encode(const core::CoreConfig& config, std::size_t nodes, std::vector<std::byte>& out);
inline constexpr std::size_t kSizesBytesMax = 128;
/// Takes it off the front of `bytes`. Empty unless a core can be made with it.
struct Sizes {
  core::CoreConfig config;
  std::size_t nodes = 0;
};
[[nodiscard]] std::optional<Sizes> take_sizes(std::span<const std::byte>& bytes);

}  // namespace phalanx::tape
