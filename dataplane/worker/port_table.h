#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "dataplane/worker/client_port.h"
#include "dataplane/worker/mailbox.h"
#include "ipc/base/assert.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/control_channel.h"

namespace phalanx::worker {

/// The worker's attached clients by slot, and the way to ask the main thread to wake one. One
/// thread.
class PortTable {
 public:
  PortTable(Mailbox& mailbox, shm::ControlWorkerEnd& control, recorder::Recorder& recorder) noexcept
      : mailbox_(mailbox), control_(control), recorder_(recorder) {}

  void add(ClientPort& port) noexcept {
    PHX_CHECK(slot(port.id) == nullptr && count_ < kClientsMax);
    slot(port.id) = &port;
    active_[count_++] = &port;
  }
  void remove(ClientPort& port) noexcept {
    PHX_CHECK(slot(port.id) == &port);
    slot(port.id) = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
      if (active_[i] == &port) {
        active_[i] = active_[--count_];
        return;
      }
    }
  }
  /// The port with this id, or nullptr when it is gone.
  [[nodiscard]] ClientPort* find(ClientId id) noexcept {
    ClientPort* port = slot(id);
    return port != nullptr && port->id == id ? port : nullptr;
  }
  /// An event about a client, for the flight recorder.
  void note(recorder::Kind kind, const ClientPort& port, LaneId lane) noexcept {
    recorder_.note(kind, {.lane = lane, .a = port.id});
  }
  [[nodiscard]] ClientPort* at_slot(std::size_t index) noexcept { return slots_[index]; }
  [[nodiscard]] std::span<ClientPort* const> all() const noexcept {
    return {active_.data(), count_};
  }

  /// Has the main thread write one byte to the client's socket. Asks made before it does so
  /// coalesce.
  void wake(ClientPort& port) noexcept {
    if (port.wake_asked.exchange(true, std::memory_order_acq_rel)) return;
    control_.count(shm::Counter::WakesAsked, 1);
    mailbox_.notify({.kind = MainNotice::Kind::Wake, .port = &port});
  }

 private:
  ClientPort*& slot(ClientId id) noexcept { return slots_[id % kClientsMax]; }

  Mailbox& mailbox_;
  shm::ControlWorkerEnd& control_;
  recorder::Recorder& recorder_;
  std::array<ClientPort*, kClientsMax> slots_{};
  std::array<ClientPort*, kClientsMax> active_{};
  std::size_t count_ = 0;
};

}  // namespace phalanx::worker
