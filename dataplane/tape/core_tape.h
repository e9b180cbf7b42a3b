#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/tape/step.h"
#include "ipc/recorder/tape.h"

namespace phalanx::tape {

/// Keeps what a core is given, in memory that outlives the process, so that its decisions can be
/// made again: it stands between the core and who calls it. View changes are kept whatever the
/// load; in between all is kept as long as that is at most a budget of bytes, and nothing while a
/// core orders more than that. One thread. Never allocates but in the calls of a view change.
class CoreTape {
 public:
  /// What may be written in a period while no view changes: 4 MB/s.
  static constexpr TimeNs kPeriod = 100 * kMillisecond;
  static constexpr std::size_t kBudget = 400'000;
  static constexpr std::size_t kNoBudget = ~std::size_t{0};

  /// Keeps nothing.
  CoreTape() = default;
  /// kTapeLayout.bytes() of memory, zeros, borrowed.
  CoreTape(std::span<std::byte> memory, const core::CoreConfig& config, std::size_t nodes,
           std::size_t budget = kBudget);

  [[nodiscard]] bool records() const noexcept { return records_; }

  // The core's calls, made and kept; hot. What they return is what the core returns.
  core::Verdict accept(core::Core& core, const wire::FrameHeader& header,
                       std::span<const std::byte> payload, TimeNs now) noexcept {
    if (!records_) [[likely]]
      return core.accept(header, payload, now);
    return keep_accept(core, header, payload, now);
  }
  [[nodiscard]] bool append(core::Core& core, LaneId lane,
                            const core::AppMessage& message) noexcept {
    if (!records_) [[likely]]
      return core.append(lane, message);
    return keep_append(core, lane, message);
  }
  void on_time(core::Core& core, TimeNs now) noexcept {
    if (!records_) [[likely]]
      return core.on_time(now);
    keep_on_time(core, now);
  }
  [[nodiscard]] std::size_t poll_tx(core::Core& core, std::span<core::TxItem> out,
                                    TimeNs now) noexcept {
    if (!records_) [[likely]]
      return core.poll_tx(out, now);
    return keep_poll_tx(core, out, now);
  }

  // Rarer ones.
  [[nodiscard]] std::byte* reserve(core::Core& core, LaneId lane,
                                   std::uint32_t payload_bytes) noexcept;
  /// The room that reserve() gave is filled.
  void commit(core::Core& core, LaneId lane, const core::RecordHeader& header) noexcept;
  void cancel(core::Core& core, LaneId lane) noexcept;
  void set_distrust(core::Core& core, bool distrusts) noexcept;

  // Of a view change.
  void freeze(core::Core& core, TimeNs now);
  /// The report, encoded.
  [[nodiscard]] std::vector<std::byte> report(core::Core& core, const ViewId& attempt, TimeNs now);
  /// `encoded` is the plan as it came.
  [[nodiscard]] bool begin_recovery(core::Core& core, const wire::Plan& plan,
                                    std::span<const std::byte> encoded, TimeNs now);
  void install(core::Core& core, const wire::Plan& plan, std::span<const std::byte> encoded,
               TimeNs now, bool quorate);

  /// Now and then, between turns: begins to keep again once the core has become quiet.
  void consider(const core::Core& core, TimeNs now) noexcept;

 private:
  core::Verdict keep_accept(core::Core& core, const wire::FrameHeader& header,
                            std::span<const std::byte> payload, TimeNs now) noexcept;
  bool keep_append(core::Core& core, LaneId lane, const core::AppMessage& message) noexcept;
  void keep_on_time(core::Core& core, TimeNs now) noexcept;
  std::size_t keep_poll_tx(core::Core& core, std::span<core::TxItem> out, TimeNs now) noexcept;

  /// An image of the core begins what follows.
  void begin(const core::Core& core);
  [[nodiscard]] bool write_image(const core::Core& core);
  [[nodiscard]] bool fits(const core::Core& core) const noexcept;
  void keep_readers(const core::Core& core) noexcept;
  void keep(const core::Core& core, const Step& step, recorder::TapeWriter::Parts bytes) noexcept;

  core::CoreConfig config_;
  std::size_t nodes_ = 0;
  std::size_t budget_ = 0;
  std::optional<recorder::TapeWriter> writer_;
  std::vector<std::byte> image_;  ///< Room for one, kept.
  bool records_ = false;
  bool changes_ = false;  ///< A view change has begun, and is on the tape as far as there was room.
  bool time_due_ = false;
  bool poll_due_ = false;
  TimeNs now_ = 0;  ///< Of the last turn: submissions have no time of their own.
  std::array<std::uint64_t, kLanesMax> readers_{};  ///< Where they were kept last.
  std::size_t spent_ = 0;                           ///< In this period.
  TimeNs period_end_ = 0;
  std::uint64_t ordered_ = 0;  ///< Up to the last consider().
  TimeNs considered_ = 0;
};

}  // namespace phalanx::tape
