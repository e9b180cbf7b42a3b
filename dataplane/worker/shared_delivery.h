#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/worker/port_table.h"
#include "ipc/shm/delivery_log.h"

namespace phalanx::worker {

/// The clients that read the shared log, and writing to it. Nobody waits for them: who lags by more
/// than 7/8 of the log when room is needed, or is in the way of a long message, is out. The
/// worker's thread only.
class SharedDelivery {
 public:
  /// `log` may be nullptr: then nobody reads one.
  explicit SharedDelivery(shm::DeliveryLog* log);

  /// The client reads from here on.
  void join(ClientPort& port) noexcept;
  void leave(ClientPort& port) noexcept;
  /// Bytes of the log that a reader has not read.
  [[nodiscard]] std::uint64_t lag(ClientPort& port) noexcept;
  [[nodiscard]] bool has_readers() const noexcept { return !readers_.empty(); }
  /// Only where there are readers.
  [[nodiscard]] shm::EventProducer& events() noexcept { return log_->events(); }

  /// A lane copies a long message into the log over several turns: nothing else is written
  /// meanwhile.
  [[nodiscard]] bool is_reserved() const noexcept { return reserved_; }
  void set_reserved(bool reserved) noexcept { reserved_ = reserved; }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return log_->bytes(); }
  /// Makes room for `need` bytes: over bytes() means without any reader. Returns those who are in
  /// the way: they must be told that they are out, and leave(), before anything more is written.
  /// Good until the next call.
  [[nodiscard]] std::span<ClientPort* const> make_room(std::uint64_t need) noexcept;
  /// Shows what was written, and wakes the readers that sleep.
  void publish(PortTable& ports) noexcept;

 private:
  shm::DeliveryLog* log_;
  std::vector<ClientPort*> readers_;
  std::vector<ClientPort*> slow_;
  std::uint64_t announced_ = 0;  ///< Up to here readers that slept were woken for it.
  bool reserved_ = false;
};

}  // namespace phalanx::worker
