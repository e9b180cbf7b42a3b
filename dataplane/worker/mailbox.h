#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/worker/spsc_queue.h"
#include "ipc/base/assert.h"

namespace phalanx::worker {

struct ClientPort;
struct NewKeys;

/// Main thread -> worker.
struct WorkerOrder {
  enum class Kind : std::uint8_t {
    AddClient,   ///< The port is the worker's from now on.
    ClientGone,  ///< Its socket hung up. Answered by ClientReleased, some turns later.
    Evict,       ///< Another worker has evicted it: it leaves the groups of this one's lanes, too.
    NewKeys,     ///< Hold these; they are the worker's from now on.
  };
  Kind kind = Kind::AddClient;
  ClientPort* port = nullptr;
  NewKeys* keys = nullptr;
};

/// Worker -> main thread.
struct MainNotice {
  enum class Kind : std::uint8_t {
    Wake,            ///< Write a byte to the client's socket; clear wake_asked first.
    HangUp,          ///< The client lied: close its socket, as if it had hung up.
    Evicted,         ///< Close its socket too when it does not do so itself soon.
    ClientReleased,  ///< The port is the main thread's again. Nothing about it follows.
  };
  Kind kind = Kind::Wake;
  ClientPort* port = nullptr;
};

/// What main thread and a worker of one process tell each other. At most one Wake, one HangUp, one
/// Evicted and one ClientReleased are under way for each client, so that queues of four times the
/// clients never fill.
class Mailbox {
 public:
  /// `worker_doorbell`, `main_doorbell`: eventfds, borrowed.
  Mailbox(int worker_doorbell, int main_doorbell) noexcept
      : worker_doorbell_(worker_doorbell), main_doorbell_(main_doorbell) {}

  // Main thread.
  void order(const WorkerOrder& order) noexcept;
  [[nodiscard]] bool take(MainNotice& out) noexcept { return notices_.pop(out); }
  /// Before it sleeps. True when a notice came in between.
  [[nodiscard]] bool arm_main() noexcept;

  // Worker.
  void notify(const MainNotice& notice) noexcept {
    PHX_CHECK(notices_.push(notice));
    notified_ = true;
  }
  /// Once a turn: one write at most, and only when the main thread sleeps.
  void ring_if_needed() noexcept {
    if (notified_) ring_main();
  }
  [[nodiscard]] bool take(WorkerOrder& out) noexcept { return orders_.pop(out); }
  [[nodiscard]] bool has_order() const noexcept { return !orders_.empty(); }
  [[nodiscard]] bool arm_worker() noexcept;
  void disarm_worker() noexcept { worker_sleeps_.store(false, std::memory_order_relaxed); }
  /// Any thread, also a signal handler: the worker ends its loop.
  void stop() noexcept;
  [[nodiscard]] bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }

 private:
  void ring_main() noexcept;

  static constexpr std::size_t kEntries = 4096;
  int worker_doorbell_;
  int main_doorbell_;
  SpscQueue<WorkerOrder, kEntries> orders_;
  SpscQueue<MainNotice, kEntries> notices_;
  bool notified_ = false;
  std::atomic<bool> worker_sleeps_{false};
  std::atomic<bool> main_sleeps_{false};
  std::atomic<bool> stop_{false};
};

}  // namespace phalanx::worker
