#pragma once

#include <cstdint>

#include "dataplane/worker/mailbox.h"
#include "dataplane/worker/worker.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::worker {

/// What a worker does when there is nothing to do. Busy: goes on polling. Adaptive: yields, and
/// sleeps after a while without messages. Sleep: sleeps at once.
enum class Idle : std::uint8_t { Busy, Adaptive, Sleep };

/// Reads the clock, turns the worker, idles, until the mailbox says stop. Runs on the worker's own
/// thread.
class WorkerLoop {
 public:
  struct Doorbells {
    int transport = -1;  ///< Level-triggered; -1: none, then sleeps are 1 ms at most.
    int command = -1;    ///< eventfds: the control plane's and the main thread's.
    int mailbox = -1;
  };
  [[nodiscard]] static Expected<WorkerLoop, Error> create(Idle idle, const Doorbells& doorbells);

  /// The main thread adds a client's doorbell before it lends the port to the worker, and takes it
  /// away when it has it back: the client may hold the eventfd open for ever.
  [[nodiscard]] Expected<void, Error> watch_client(int doorbell) noexcept;
  void unwatch_client(int doorbell) noexcept;

  void run(Worker& worker, Mailbox& mailbox) noexcept;

 private:
  WorkerLoop(Idle idle, bool pollable, Fd epoll) noexcept
      : idle_(idle), pollable_(pollable), epoll_(std::move(epoll)) {}
  void sleep(Worker& worker, TimeNs now) noexcept;

  Idle idle_;
  bool pollable_;
  TimeNs blind_sleep_ = 0;  ///< The next one, where frames cannot wake.
  Fd epoll_;
};

}  // namespace phalanx::worker
