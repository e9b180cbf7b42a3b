#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "ipc/recorder/event.h"
#include "ipc/recorder/layout.h"
#include "ipc/recorder/mapped_file.h"

namespace phalanx::recorder {

/// The time-stamp counter; where there is none, nanoseconds.
[[nodiscard]] inline std::uint64_t ticks_now() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return monotonic_now();
#endif
}

/// Writes one thread's events into a mapped file: a fixed ring, the newest over the oldest. What
/// was noted is there for others whatever becomes of this process. One thread; never fails, waits
/// or enters the kernel once it is open.
class Recorder {
 public:
  struct Options {
    std::string directory;  ///< Made when it is missing; of the node's own user.
    std::string writer;     ///< "worker", "main", "controlplane": 15 letters at most.
    Member self;
    std::span<const NodeId> nodes;        ///< All configured, sorted.
    std::uint32_t slots = kSlotsDefault;  ///< A power of two.
  };

  /// What an event says beside its kind. See info_of() for what a, b and c mean.
  struct Detail {
    LaneId lane = 0;
    NodeId node = 0;
    std::uint64_t view = 0;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
  };

  /// Notes into nothing: for tests and for hosts where no file can be had.
  Recorder() noexcept;
  /// DIRECTORY/WRITER.ring, empty. What earlier processes left is renamed; the oldest goes. Takes
  /// 2 ms, to measure the counter.
  [[nodiscard]] static Expected<std::unique_ptr<Recorder>, Error> open(const Options& options);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();

  /// Some 10 ns.
  void note(Kind kind, const Detail& detail) noexcept {
    const std::uint64_t index = written_++;
    Event event{.number = index + 1,
                .ticks = ticks_now(),
                .kind = kind,
                .lane = detail.lane,
                .node = detail.node,
                .view = detail.view,
                .a = detail.a,
                .b = detail.b,
                .c = detail.c};
    event.check = check_of(event);
    slots_[index & mask_] = event;
  }
  void note(Kind kind) noexcept { note(kind, Detail{}); }

  /// Ties the counter to the clocks anew when that was not done for 100 ms. Call it now and then:
  /// otherwise a reader computes with what was measured at start.
  void keep_time() noexcept {
    if (ticks_now() - anchored_at_ >= anchor_interval_) [[unlikely]]
      anchor();
  }

  /// The bit of a node in a set of nodes; 0 for one that is not configured.
  [[nodiscard]] std::uint64_t bit_of(NodeId node) const noexcept;
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

 private:
  void anchor() noexcept;

  Event* slots_;
  std::uint64_t mask_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t anchored_at_ = 0;
  std::uint64_t anchor_interval_ = ~std::uint64_t{0};
  std::uint32_t anchors_ = 0;
  FileHeader* header_ = nullptr;
  MappedFile file_;
  Event spare_;  ///< Where nothing is kept.
};

}  // namespace phalanx::recorder
