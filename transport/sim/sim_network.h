#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/sim/event_queue.h"
#include "transport/sim/random.h"
#include "transport/transport.h"

namespace phalanx::transport {

/// What one direction of one link does to frames. Rates are parts per million of the frames.
struct LinkFaults {
  bool cut = false;
  std::uint32_t drop_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  std::uint32_t corrupt_ppm = 0;
  std::uint32_t reorder_ppm = 0;  ///< These frames are overtaken by later ones.
  TimeNs delay = 5 * kMicrosecond;
  TimeNs jitter = 2 * kMicrosecond;          ///< Added evenly; alone it never reorders.
  TimeNs reorder_delay = 50 * kMicrosecond;  ///< At most; for duplicates and reordered frames.
  std::uint32_t forge_ppm =
      0;  ///< Somebody on the wire makes another frame of these, and sends it.
};

/// How often each thing happened. A frame event is one frame at one receiver, arrived or lost.
struct SimCounters {
  std::uint64_t sent = 0;
  std::uint64_t arrived = 0;
  std::uint64_t dropped = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t reordered = 0;
  std::uint64_t overrun = 0;
  std::uint64_t gathered = 0;  ///< Arrived, with a part that was read no earlier.
  std::uint64_t changed = 0;   ///< Of these, with other bytes than they were sent with.
  [[nodiscard]] std::uint64_t frame_events() const noexcept { return arrived + dropped + overrun; }
};

class SimPort;

/// A wire between nodes 1..N in virtual time: one thread, no clock, every choice from one seed.
/// The owner advances it with deliver_until(); ports hold what arrived until their node takes it.
class SimNetwork {
 public:
  SimNetwork(std::size_t nodes, const TransportLimits& limits, std::uint64_t seed);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  [[nodiscard]] std::size_t nodes() const noexcept { return nodes_; }
  [[nodiscard]] SimPort& port(NodeId node) noexcept { return *ports_[node - 1]; }
  [[nodiscard]] LinkFaults& link(NodeId from, NodeId to) noexcept {
    return links_[(from - 1) * nodes_ + (to - 1)].faults;
  }
  void set_all_links(const LinkFaults& faults);
  /// What a forger makes of a frame that it saw; without one nothing is forged.
  using Forger = void (*)(std::span<std::byte> frame, Random& random);
  void set_forger(Forger forger) noexcept { forger_ = forger; }

  /// Every frame sent from now on leaves at `now`.
  void set_time(TimeNs now) noexcept { now_ = now; }
  [[nodiscard]] TimeNs next_arrival() const noexcept { return flight_.next_at(); }
  /// Moves the frames that are due to their receivers' queues; sets the bits of those nodes
  /// (node n: bit n - 1).
  [[nodiscard]] std::uint64_t deliver_until(TimeNs now);

  /// What is queued for a node that just died is nobody's.
  void forget_arrived(NodeId node) noexcept;

  [[nodiscard]] const SimCounters& counters() const noexcept { return counters_; }

 private:
  friend class SimPort;
  struct Link {
    LinkFaults faults;
    TimeNs last_arrival = 0;
  };
  struct Buffer {
    std::unique_ptr<std::byte[]> bytes;
    std::uint32_t capacity = 0;
    std::uint32_t length = 0;
    std::uint32_t references = 0;
    std::uint32_t gathered_at = 0;  ///< 0: all is in `bytes`.
    std::span<const std::byte> gathered;
    std::uint64_t sum = 0;  ///< Of what was gathered, when it was sent.
  };

  std::uint32_t take_buffer(std::size_t capacity);
  void drop_reference(std::uint32_t buffer) noexcept;
  void send(NodeId from, NodeId to, std::uint32_t buffer);
  void launch(Link& link, NodeId to, std::uint32_t buffer, TimeNs delay, bool in_order);
  std::uint32_t copy_of(std::uint32_t buffer);
  std::uint32_t read_now(std::uint32_t buffer);
  std::uint32_t corrupted_copy(std::uint32_t buffer);

  std::size_t nodes_;
  TransportLimits limits_;
  Random random_;
  Forger forger_ = nullptr;
  TimeNs now_ = 0;
  EventQueue flight_;  ///< what = buffer | (receiver - 1) << 26.
  std::vector<Link> links_;
  std::vector<Buffer> buffers_;
  std::vector<std::uint32_t> free_buffers_;
  std::vector<std::unique_ptr<SimPort>> ports_;
  SimCounters counters_;
};

/// One node's end of the simulated wire. What is gathered is read when the frame arrives, by each
/// receiver anew, and some such frames wait long before that: no adapter is as hard on its lender.
class SimPort final : public Transport {
 public:
  SimPort(SimNetwork& network, NodeId self);

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override;
  void tx_burst(std::span<const TxFrame> frames) noexcept override;
  /// Memory of a process that died must stay readable.
  [[nodiscard]] Expected<bool, Error> lend_memory(
      std::span<const std::span<const std::byte>>) override {
    return true;
  }
  void set_members(std::span<const NodeId> members) noexcept override;
  [[nodiscard]] int wait_fd() const noexcept override { return -1; }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return network_.limits_; }

  /// One frame of any length, copied: control messages travel unfragmented here.
  void send_large(std::span<const std::byte> bytes, const Destination& to);
  [[nodiscard]] std::size_t waiting() const noexcept { return tail_ - head_; }

 private:
  friend class SimNetwork;
  void route(std::uint32_t buffer, const Destination& to);
  [[nodiscard]] bool arrive(std::uint32_t buffer) noexcept;

  SimNetwork& network_;
  NodeId self_;
  std::vector<NodeId> members_;
  std::vector<std::uint32_t> lent_;     ///< Buffers of the last tx_alloc().
  std::vector<std::uint32_t> receive_;  ///< A ring of rx_ring_frames buffers.
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace phalanx::transport
