#pragma once

#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/shm/control_socket.h"

namespace phalanx::dataplane {

/// The few lines that this process has for the log. The control plane writes them, to the targets
/// and by the levels that are set there; while there is none they wait, and those that still wait
/// at the end go to standard error. Any thread may log; the rest is the main thread's.
class LogLines : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// So many wait at most; then the oldest are lost, and the next line says how many.
  static constexpr std::size_t kWaitingMost = 64;

  /// Makes it the process's default logger.
  [[nodiscard]] static Expected<std::shared_ptr<LogLines>, Error> install();
  /// What waits is written to standard error.
  ~LogLines() override;

  /// Readable when lines have come since the last forward().
  [[nodiscard]] int fd() const noexcept { return doorbell_.get(); }
  /// Sends what waits, as far as the socket takes it; -1: there is none, all goes on waiting.
  void forward(int control_socket);

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  explicit LogLines(Fd doorbell) : doorbell_(std::move(doorbell)) {}

  Fd doorbell_;
  std::deque<shm::LogLine> waiting_;
  std::uint64_t lost_ = 0;
};

}  // namespace phalanx::dataplane
