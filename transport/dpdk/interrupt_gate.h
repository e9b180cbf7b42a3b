#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::transport::dpdk {

/// The polling thread's side of the gate: it may touch ports only between an enter() that said yes
/// and the next one. One thread.
class Poller {
 public:
  /// Once a turn; one load in the steady state. No: leave the ports alone until the next turn.
  [[nodiscard]] bool enter() noexcept {
    if (wanted_.load(std::memory_order_acquire)) [[unlikely]] {
      aside_.store(true, std::memory_order_release);
      return false;
    }
    return entered() || come_back();
  }
  [[nodiscard]] bool entered() const noexcept { return !aside_.load(std::memory_order_relaxed); }
  /// Nobody polls any more.
  void leave() noexcept { aside_.store(true, std::memory_order_release); }

 private:
  friend class InterruptGate;
  [[nodiscard]] bool come_back() noexcept;

  alignas(64) std::atomic<bool> wanted_{false};
  alignas(64) std::atomic<bool> aside_{true};
};

/// Keeps DPDK's interrupt thread and the pollers apart. That thread handles what a memif peer says
/// and that it died: it maps and unmaps the very memory that is being polled, and the driver has no
/// lock against that. So it is held in a callback of ours, where it waits for its other work; when
/// there is some, all pollers step aside first, and come back when it is held again.
///
/// The thread holds `mutex()` while it is let through: who opens or closes ports holds it as well.
class InterruptGate {
 public:
  /// What wants to be looked after on the interrupt thread, under the mutex.
  class Client {
   public:
    virtual ~Client() = default;
    virtual Poller& poller() noexcept = 0;
    /// Where the driver takes connections; -1: nowhere.
    [[nodiscard]] virtual int listener() const noexcept = 0;
    /// Whether tend() has something to do although nothing was heard. Its poller may be polling.
    virtual bool wants_tending(TimeNs now) = 0;
    /// Its poller stands aside; something was heard, or wants_tending() said yes.
    virtual void tend(TimeNs now) = 0;
  };

  /// The interrupt thread's; EAL must run.
  [[nodiscard]] static InterruptGate& instance();

  [[nodiscard]] Expected<void, Error> add(Client& client);
  /// Its poller has left and its ports are closed. The caller holds the mutex.
  void remove(Client& client) noexcept;
  [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }

 private:
  InterruptGate() = default;
  [[nodiscard]] Expected<void, Error> open();
  static void on_interrupt(void* gate) { static_cast<InterruptGate*>(gate)->hold(); }
  void hold();
  [[nodiscard]] bool wait_for_work(int set);
  void call_aside();
  void let_back(TimeNs now);
  [[nodiscard]] int interrupt_set() const noexcept;
  void expect_connection() noexcept;
  void mend_connection() noexcept;

  std::mutex mutex_;
  std::vector<Client*> clients_;
  Fd turn_;                   ///< Readable: the interrupt thread comes to hold().
  bool let_through_ = false;  ///< The interrupt thread's own.
  int expected_fd_ = -1;      ///< What a connection taken meanwhile will be.
  std::atomic<bool> holding_{false};
};

}  // namespace phalanx::transport::dpdk
