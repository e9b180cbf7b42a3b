#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/ids.h"
#include "ipc/shm/statistics_layout.h"

namespace phalanx::shm {

/// Owns a mapping of a data plane's statistics: a memfd that only its maker's mapping can write,
/// so that its descriptor may be handed to anybody who is allowed to look.
class StatisticsMemory {
 public:
  /// Writable here, sealed against every other writer. Called once by the data plane.
  /// `workers`: 1 to kWorkersMax.
  [[nodiscard]] static Expected<StatisticsMemory, Error> create(Member self, std::uint32_t pid,
                                                                std::size_t workers = 1);
  /// Read-only: what the data plane made, passed over a socket. Checks seals, size, magic, version.
  [[nodiscard]] static Expected<StatisticsMemory, Error> map(Fd memory);

  StatisticsMemory(StatisticsMemory&& other) noexcept;
  StatisticsMemory& operator=(StatisticsMemory&& other) noexcept;
  ~StatisticsMemory();

  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }
  /// Of a worker below workers().
  [[nodiscard]] const StatisticsLayout& layout(std::size_t worker = 0) const noexcept {
    return layout_[worker];
  }
  /// Of what was created here; checked.
  [[nodiscard]] StatisticsLayout& writable(std::size_t worker = 0) const noexcept;
  [[nodiscard]] int fd() const noexcept { return memory_.get(); }

 private:
  StatisticsMemory(Fd memory, StatisticsLayout* layout, std::size_t workers,
                   bool is_writer) noexcept
      : memory_(std::move(memory)), layout_(layout), workers_(workers), is_writer_(is_writer) {}
  Fd memory_;
  StatisticsLayout* layout_ = nullptr;  ///< The first of workers_.
  std::size_t workers_ = 0;
  bool is_writer_ = false;
};

// Reading one worker's, while it writes on or hangs in the middle of it: any thread of any process.
// False: it was written on and on, faster than read. Counts in what was read are within bounds.
[[nodiscard]] bool read_status(const StatisticsLayout& from, WorkerStatus& out) noexcept;
[[nodiscard]] bool read_tables(const StatisticsLayout& from, StatisticsTables& out) noexcept;
[[nodiscard]] std::uint64_t read_counter(const StatisticsLayout& from, Counter counter) noexcept;

// Writing: the worker alone. What begin_write() gives is what was written the time before last.
template <class T>
[[nodiscard]] T& begin_write(Published<T>& to) noexcept {
  std::atomic_thread_fence(std::memory_order_release);  // `writes`, before what changes now.
  return to.copy[(to.writes + 1) % 2];
}
template <class T>
void end_write(Published<T>& to) noexcept {
  std::atomic_ref(to.writes).store(to.writes + 1, std::memory_order_release);
}
void write_status(StatisticsLayout& to, const WorkerStatus& status) noexcept;

/// "turns", "rx_frames": the name in lower case with underscores.
[[nodiscard]] std::string_view counter_name(Counter counter) noexcept;

}  // namespace phalanx::shm
