#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "transport/dpdk/buffers.h"
#include "transport/dpdk/handover.h"
#include "transport/dpdk/membership_report.h"
#include "transport/dpdk/packet.h"
#include "transport/dpdk/port.h"
#include "transport/dpdk/port_statistics.h"
#include "transport/transport.h"

namespace phalanx::transport::dpdk {

/// Who is on the wire: the addresses of the first worker of each node.
struct Addresses {
  PacketFilter filter;
  std::vector<std::pair<NodeId, udp::Address>> peers;
};

/// What the workers of a node share of its port.
struct PortQueues {
  std::vector<Buffers> buffers;  ///< Of each worker; outlive the port, whose rings hold of them.
  Port port;
  std::unique_ptr<Handover> handover;  ///< Of several workers.
  bool steered = false;                ///< Every packet comes to the queue of the worker it is for.
  std::string name;                    ///< The driver's, and how packets get to their queues.
  /// As the first worker saw it: a device is asked by one thread.
  std::unique_ptr<std::atomic<bool>> has_link = std::make_unique<std::atomic<bool>>(false);
};

/// One worker's pair of queues.
class Ethernet final : public Transport {
 public:
  Ethernet(std::shared_ptr<PortQueues> queues, std::uint16_t worker, const Addresses& addresses,
           std::uint32_t mtu);

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override { Buffers::release(frames); }
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override { return buffers().lend(out); }
  void tx_burst(std::span<const TxFrame> frames) noexcept override;
  void authenticated(NodeId sender, const RxFrame& frame) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override {
    for (Peer& peer : peers_) {
      peer.member = std::find(members.begin(), members.end(), peer.node) != members.end();
    }
  }
  [[nodiscard]] int wait_fd() const noexcept override;
  [[nodiscard]] bool arm_wait() noexcept override;
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override;
  [[nodiscard]] TransportPorts ports() noexcept override;
  [[nodiscard]] std::size_t extended(std::span<ExtendedCounter> out) const noexcept override {
    return worker_ == 0 ? statistics_.rows(out) : 0;
  }

 private:
  using Headers = std::array<const PacketHeader*, kNodesMax>;
  struct Peer {
    NodeId node = 0;
    bool member = false;
    PacketHeader header;
  };

  [[nodiscard]] Buffers& buffers() noexcept { return queues_->buffers[worker_]; }
  [[nodiscard]] const Port& port() const noexcept { return queues_->port; }
  [[nodiscard]] std::optional<Packet> read(const rte_mbuf* mbuf) const noexcept;
  bool accept(rte_mbuf* mbuf, RxFrame& out) noexcept;
  std::size_t receive(std::span<RxFrame> out, std::uint16_t& got) noexcept;
  std::size_t take_handed(std::span<RxFrame> out) noexcept;
  void lose(rte_mbuf* mbuf) noexcept;
  [[nodiscard]] Fd watch_both() const noexcept;
  std::size_t destinations(const Destination& to, Headers& out) const noexcept;
  void add(rte_mbuf* mbuf, const PacketHeader& header) noexcept;
  rte_mbuf* copy_of(const rte_mbuf* mbuf) noexcept;
  void flush() noexcept;
  void look_at_port() const noexcept;
  void report_membership() noexcept;

  static constexpr std::uint32_t kLooksBetween = 2000;  ///< A second when busy, five when idle.
  static constexpr std::uint32_t kLooksForLink = 100;   ///< Where nobody tells.
  static constexpr std::uint32_t kReportsAtOnce = 3;    ///< One a look; any of them may be lost.
  static constexpr std::uint32_t kLooksToReport = 30;   ///< Switches forget in some minutes.

  std::shared_ptr<PortQueues> queues_;
  std::uint16_t worker_;
  Fd both_;  ///< Readable when the queue has something, or another worker; of one of several.
  PacketFilter filter_;
  std::vector<Peer> peers_;
  std::optional<PacketHeader> group_;
  std::optional<MembershipReport> report_;
  ChecksumOffload offload_;
  std::uint64_t send_flags_ = 0;
  TransportLimits limits_;
  TransportCounters counters_;
  std::array<rte_mbuf*, Buffers::kBurst> waiting_{};
  std::size_t waiting_count_ = 0;
  mutable PortStatistics statistics_;  ///< The first worker's.
  mutable std::uint32_t looks_ = 0;
  mutable std::uint64_t overflow_ = 0;  ///< The card's, for the first worker.
  mutable bool report_due_ = false;
  mutable std::uint32_t looks_since_link_ = 0;
  bool registered_ = false;
};

}  // namespace phalanx::transport::dpdk
