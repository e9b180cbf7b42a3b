#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/sim/random.h"
#include "transport/transport.h"

namespace phalanx::transport {

/// What happens to frames that one peer sent, where they arrive: so it is one-way by nature. Rates
/// are parts per million of the frames.
struct Faults {
  bool cut = false;
  std::uint32_t drop_ppm = 0;
  std::uint32_t corrupt_ppm = 0;    ///< One bit, anywhere.
  std::uint32_t duplicate_ppm = 0;  ///< The copy comes within reorder_delay.
  std::uint32_t reorder_ppm = 0;    ///< Held back up to reorder_delay, so that others overtake.
  TimeNs reorder_delay = 100 * kMicrosecond;
  TimeNs delay = 0;  ///< Of every frame.

  friend bool operator==(const Faults&, const Faults&) = default;
};

/// How often each thing happened.
struct FaultCounters {
  std::uint64_t passed = 0;  ///< Frames handed on, copies included.
  std::uint64_t cut = 0;
  std::uint64_t dropped = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t held = 0;     ///< Delayed or reordered.
  std::uint64_t overrun = 0;  ///< Dropped since nothing more could be held.
};

/// A transport with faults between the wire and the worker: any wire, one seed, the same frames at
/// the same times meet the same fate. Test builds only. One thread; no allocation after start.
/// Frames that are held make no descriptor readable: a sleeping worker gets them when it next
/// looks.
class FaultTransport final : public Transport {
 public:
  using Clock = TimeNs (*)() noexcept;
  static constexpr std::size_t kHeldMax = 512;

  /// Borrows `wire`.
  FaultTransport(Transport& wire, std::uint64_t seed, Clock clock = &monotonic_now);

  /// From now on; frames that are held already stay so.
  void set(NodeId peer, const Faults& faults) noexcept;
  void set_all(const Faults& faults) noexcept;
  [[nodiscard]] const FaultCounters& fault_counters() const noexcept { return fault_counters_; }

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override { return wire_.tx_alloc(out); }
  void tx_burst(std::span<const TxFrame> frames) noexcept override { wire_.tx_burst(frames); }
  void authenticated(NodeId sender, const RxFrame& frame) noexcept override {
    if (!is_ours(frame)) wire_.authenticated(sender, frame);
  }
  void set_members(std::span<const NodeId> members) noexcept override {
    wire_.set_members(members);
  }
  [[nodiscard]] int wait_fd() const noexcept override { return wire_.wait_fd(); }
  [[nodiscard]] bool arm_wait() noexcept override { return wire_.arm_wait(); }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return wire_.limits(); }
  [[nodiscard]] TransportCounters counters() const noexcept override { return wire_.counters(); }
  [[nodiscard]] TransportPorts ports() noexcept override { return wire_.ports(); }
  [[nodiscard]] std::size_t extended(std::span<ExtendedCounter> out) const noexcept override {
    return wire_.extended(out);
  }

 private:
  static constexpr std::size_t kBurst = 32;

  /// A copy of ours, waiting for its time or lent.
  struct Copy {
    TimeNs due = 0;
    std::uint64_t number = 0;  ///< Breaks ties: first come, first out.
    std::uint32_t length = 0;
    std::byte* data = nullptr;
  };
  struct PeerFaults {
    NodeId peer = 0;
    Faults faults;
  };

  [[nodiscard]] const Faults& faults_of(const RxFrame& frame) const noexcept;
  [[nodiscard]] bool suffers(RxFrame& frame, TimeNs now) noexcept;
  Copy* copy_of(const RxFrame& frame) noexcept;
  void hold(const RxFrame& frame, TimeNs due) noexcept;
  void corrupt(RxFrame& frame) noexcept;
  [[nodiscard]] Copy* next_due(TimeNs now) noexcept;
  [[nodiscard]] bool is_ours(const RxFrame& frame) const noexcept;
  void give_back(const RxFrame& frame) noexcept;

  Transport& wire_;
  Random random_;
  Clock clock_;
  Faults all_;
  std::array<PeerFaults, kNodesMax> peers_{};
  std::size_t peer_count_ = 0;
  std::unique_ptr<std::byte[]> memory_;
  std::array<Copy, kHeldMax> copies_{};
  std::vector<Copy*> free_;
  std::vector<Copy*> waiting_;
  std::uint64_t number_ = 0;
  FaultCounters fault_counters_;
};

}  // namespace phalanx::transport
