#include "transport/dpdk/ethernet_transport.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "transport/dpdk/buffers.h"
#include "transport/dpdk/devargs.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/eal_arguments.h"
#include "transport/dpdk/membership_report.h"
#include "transport/dpdk/packet.h"
#include "transport/dpdk/port.h"
#include "transport/dpdk/port_statistics.h"

namespace phalanx::transport::dpdk {
namespace {

constexpr int kBurstsMost = 16;  ///< A whole ring of other people's packets in one look.

struct Peer {
  NodeId node = 0;
  bool member = false;
  PacketHeader header;
};

/// What all parts need to know, found out before the port is opened.
struct Addresses {
  PacketFilter filter;
  std::vector<std::pair<NodeId, udp::Address>> peers;
};

class Ethernet final : public Transport {
 public:
  Ethernet(Buffers buffers, Port port, const Addresses& addresses, std::uint32_t mtu);
  bool start() noexcept;

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override { Buffers::release(frames); }
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override { return buffers_.lend(out); }
  void tx_burst(std::span<const TxFrame> frames) noexcept override;
  void authenticated(NodeId sender, const RxFrame& frame) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override {
    for (Peer& peer : peers_) {
      peer.member = std::find(members.begin(), members.end(), peer.node) != members.end();
    }
  }
  [[nodiscard]] int wait_fd() const noexcept override { return port_.features().wait_fd; }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override;
  [[nodiscard]] TransportPorts ports() noexcept override;
  [[nodiscard]] std::size_t extended(std::span<ExtendedCounter> out) const noexcept override {
    return statistics_.rows(out);
  }

 private:
  using Headers = std::array<const PacketHeader*, kNodesMax>;

  bool accept(rte_mbuf* mbuf, RxFrame& out) noexcept;
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

  Buffers buffers_;  ///< Outlives the port, whose rings hold of it.
  Port port_;
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
  mutable PortStatistics statistics_;
  mutable std::uint32_t looks_ = 0;
  mutable std::uint64_t overflow_ = 0;
  mutable bool has_link_ = false;
  mutable bool report_due_ = false;
  mutable std::uint32_t looks_since_link_ = 0;
  bool registered_ = false;
};

Ethernet::Ethernet(Buffers buffers, Port port, const Addresses& addresses, std::uint32_t mtu)
    : buffers_(std::move(buffers)),
      port_(std::move(port)),
      filter_(addresses.filter),
      statistics_(port_.number()) {
  rte_ether_addr own{};
  rte_eth_macaddr_get(port_.number(), &own);
  Mac mac{};
  std::memcpy(mac.data(), own.addr_bytes, mac.size());
  for (const auto& [node, address] : addresses.peers) {
    peers_.push_back(
        {.node = node,
         .member = false,
         .header = PacketHeader(mac, filter_.self, kBroadcastMac, address, filter_.vlan)});
  }
  if (filter_.group) {
    group_.emplace(mac, filter_.self, multicast_mac(*filter_.group), *filter_.group, filter_.vlan);
    report_.emplace(mac, filter_.self, *filter_.group, filter_.vlan);
    (void)rte_eth_allmulticast_enable(port_.number());  // Where the driver filters at all.
  }
  const bool ipv6 = filter_.self.is_ipv6();
  offload_ = {.ip = port_.features().ip_checksum, .udp = port_.features().udp_checksum};
  if (offload_.ip && !ipv6) send_flags_ |= RTE_MBUF_F_TX_IP_CKSUM;
  if (offload_.udp) send_flags_ |= RTE_MBUF_F_TX_UDP_CKSUM;
  if (send_flags_ != 0) send_flags_ |= ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
  const std::size_t overhead = PacketHeader::bytes_of(ipv6, 0) - ethernet_bytes(0);
  limits_ = {.frame_bytes_max = mtu - static_cast<std::uint32_t>(overhead),
             .burst_frames_max = Buffers::kBurst,
             .rx_ring_frames = port_.features().rx_frames};
}

/// The group is asked for at once; frames of others come as soon as they are sent.
bool Ethernet::start() noexcept {
  if (!port_.start()) return false;
  if (report_) report_membership();
  return true;
}

std::size_t Ethernet::rx_burst(std::span<RxFrame> out) noexcept {
  if (!registered_) [[unlikely]] {
    register_thread();
    registered_ = true;
  }
  if (report_due_) [[unlikely]]
    report_membership();
  std::array<rte_mbuf*, Buffers::kBurst> mbufs;
  std::size_t count = 0;
  // Other packets of the segment must not make a full ring look empty; nor is there an end to them.
  for (int tries = 0; tries < kBurstsMost && count < out.size(); ++tries) {
    const auto room = static_cast<std::uint16_t>(std::min(out.size() - count, mbufs.size()));
    const std::uint16_t got = rte_eth_rx_burst(port_.number(), 0, mbufs.data(), room);
    for (rte_mbuf* mbuf : std::span(mbufs).first(got)) {
      if (accept(mbuf, out[count])) {
        ++count;
      } else {
        ++counters_.rx_refused;
        rte_pktmbuf_free(mbuf);
      }
    }
    if (got < room) break;
  }
  counters_.rx_frames += count;
  return count;
}

bool Ethernet::accept(rte_mbuf* mbuf, RxFrame& out) noexcept {
  const std::uint64_t flags = mbuf->ol_flags;
  if (mbuf->nb_segs != 1 || (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD ||
      (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) [[unlikely]] {
    return false;
  }
  std::optional<VlanId> stripped;  // Kernels do, and cards may.
  if ((flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) stripped = vlan_of(mbuf->vlan_tci);
  const auto packet =
      parse_packet({rte_pktmbuf_mtod(mbuf, const std::byte*), mbuf->data_len}, filter_, stripped);
  if (!packet || packet->own || packet->frame.size() > limits_.frame_bytes_max) return false;
  counters_.rx_bytes += packet->frame.size();
  out = {.bytes = packet->frame, .cookie = mbuf};
  return true;
}

/// Copies first, the lent mbuf itself to the last: with a group, or one peer, nothing is copied.
void Ethernet::tx_burst(std::span<const TxFrame> frames) noexcept {
  const std::span<rte_mbuf*> sealed = buffers_.take(frames);
  Headers headers;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::size_t count = destinations(frames[i].to, headers);
    for (std::size_t n = 0; n + 1 < count; ++n) {
      if (rte_mbuf* copy = copy_of(sealed[i]); copy != nullptr) {
        add(copy, *headers[n]);
      } else {
        ++counters_.tx_refused;
      }
    }
    if (count > 0) {
      add(sealed[i], *headers[count - 1]);
    } else {
      rte_pktmbuf_free(sealed[i]);
    }
  }
  flush();
}

std::size_t Ethernet::destinations(const Destination& to, Headers& out) const noexcept {
  if (group_ && to.kind != Destination::Kind::Peer) {
    out[0] = &*group_;
    return 1;
  }
  std::size_t count = 0;
  for (const Peer& peer : peers_) {
    const bool wanted = to.kind == Destination::Kind::Peer
                            ? peer.node == to.peer
                            : peer.member || to.kind == Destination::Kind::Everyone;
    if (wanted) out[count++] = &peer.header;
  }
  return count;
}

void Ethernet::add(rte_mbuf* mbuf, const PacketHeader& header) noexcept {
  const std::size_t frame_bytes = mbuf->data_len;
  auto* at = rte_pktmbuf_prepend(mbuf, static_cast<std::uint16_t>(header.size()));
  header.write(reinterpret_cast<std::byte*>(at), frame_bytes, offload_);
  mbuf->ol_flags |= send_flags_;
  mbuf->l2_len = header.ethernet() & 0x7f;  // As wide as the field.
  mbuf->l3_len = header.is_ipv6() ? PacketHeader::kIpv6Bytes : PacketHeader::kIpv4Bytes;
  counters_.tx_bytes += frame_bytes;
  waiting_[waiting_count_++] = mbuf;
  if (waiting_count_ == waiting_.size()) flush();
}

rte_mbuf* Ethernet::copy_of(const rte_mbuf* mbuf) noexcept {
  rte_mbuf* copy = rte_pktmbuf_alloc(buffers_.pool());
  if (copy == nullptr) return nullptr;
  std::memcpy(rte_pktmbuf_mtod(copy, void*), rte_pktmbuf_mtod(mbuf, const void*), mbuf->data_len);
  copy->data_len = mbuf->data_len;
  copy->pkt_len = mbuf->pkt_len;
  return copy;
}

void Ethernet::flush() noexcept {
  if (waiting_count_ == 0) return;
  const std::uint16_t sent = rte_eth_tx_burst(port_.number(), 0, waiting_.data(),
                                              static_cast<std::uint16_t>(waiting_count_));
  counters_.tx_frames += sent;
  counters_.tx_refused += waiting_count_ - sent;
  for (std::size_t i = sent; i < waiting_count_; ++i) rte_pktmbuf_free(waiting_[i]);
  waiting_count_ = 0;
}

void Ethernet::authenticated(NodeId sender, const RxFrame& frame) noexcept {
  const auto* mbuf = static_cast<const rte_mbuf*>(frame.cookie);
  Mac from;
  std::memcpy(from.data(), rte_pktmbuf_mtod(mbuf, const std::byte*) + from.size(), from.size());
  if ((from[0] & 1) != 0) return;  // Nobody sends as a group.
  for (Peer& peer : peers_) {
    if (peer.node == sender) peer.header.set_destination(from);
  }
}

/// Asking the device takes long (registers, or system calls), and the worker asks us often. A link
/// that the driver tells of is looked at each time, so that peers need not wait for their
/// time-outs.
void Ethernet::look_at_port() const noexcept {
  const bool due = looks_++ % kLooksBetween == 0;
  const bool had_link = has_link_;
  const Port::Features& port = port_.features();
  if (due || port.tells_link || (port.loses_link && looks_ % kLooksForLink == 0)) {
    has_link_ = port_.has_link();
  }
  if (!due && has_link_ == had_link) return;
  rte_eth_stats stats{};
  if (rte_eth_stats_get(port_.number(), &stats) == 0) overflow_ = stats.imissed;
  statistics_.look();
  // What was said before there was a link, or to a switch before this one, was said to nobody.
  looks_since_link_ = has_link_ && !had_link ? 0 : looks_since_link_ + 1;
  report_due_ = report_.has_value() &&
                (looks_since_link_ < kReportsAtOnce || looks_since_link_ % kLooksToReport == 0);
}

/// Counted as no frame: it is none.
void Ethernet::report_membership() noexcept {
  report_due_ = false;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(buffers_.pool());
  if (mbuf == nullptr) return;
  const std::span<const std::byte> packet = report_->packet();
  std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(packet.size())), packet.data(),
              packet.size());
  if (rte_eth_tx_burst(port_.number(), 0, &mbuf, 1) == 0) rte_pktmbuf_free(mbuf);
}

TransportCounters Ethernet::counters() const noexcept {
  look_at_port();
  TransportCounters out = counters_;
  out.rx_overflow = overflow_;
  return out;
}

TransportPorts Ethernet::ports() noexcept {
  return {port_.features().driver.c_str(), 1, has_link_ ? 1U : 0U};
}

Error bad_address(const udp::Endpoint& endpoint) {
  return {ExitCode::Usage, "cannot use the address " + endpoint.host,
          "it is no numeric address of the family of this node's",
          "write all nodes' addresses and transport.multicast as IPv4, or all as IPv6"};
}

Expected<Addresses, Error> parse(const EthernetOptions& options) {
  Addresses out;
  const auto self = std::ranges::find(options.peers, options.self, &udp::Peer::node);
  if (self == options.peers.end()) return fail(Error{.attempted = "this node has no address"});
  const auto own = udp::Address::parse(self->endpoint);
  if (!own) return fail(bad_address(self->endpoint));
  out.filter.self = *own;
  out.filter.vlan = options.vlan;
  for (const udp::Peer& peer : options.peers) {
    const auto address = udp::Address::parse(peer.endpoint);
    if (!address || address->is_ipv6() != own->is_ipv6()) return fail(bad_address(peer.endpoint));
    if (peer.node != options.self) out.peers.emplace_back(peer.node, *address);
  }
  if (options.multicast) {
    out.filter.group = udp::Address::parse(*options.multicast);
    if (!out.filter.group || !out.filter.group->is_multicast() ||
        out.filter.group->is_ipv6() != own->is_ipv6()) {
      return fail(bad_address(*options.multicast));
    }
  }
  return out;
}

bool is_af_xdp(const std::string& device) { return device.starts_with("net_af_xdp"); }

/// A device reads and writes memory that EAL has mapped for it; af_xdp lends the kernel whole
/// mbufs, and takes them for contiguous.
Buffers::Memory memory_for(const std::string& device) {
  if (is_af_xdp(device)) return Buffers::Memory::DpdkGapless;
  return is_pci_address(device) ? Buffers::Memory::Dpdk : Buffers::Memory::Own;
}

}  // namespace

Expected<std::unique_ptr<Transport>, Error> open_ethernet(const EthernetOptions& options) {
  const auto addresses = parse(options);
  if (!addresses) return fail(addresses.error());
  static std::atomic<unsigned> number{0};
  // af_packet wants mbufs as long as the frames of its ring, and has as many as it was told; af_xdp
  // lends 2048 to the kernel whatever it was told.
  const std::string device = completed_devargs(options.device, options.mtu);
  const Buffers::Memory memory = memory_for(options.device);
  const std::uint32_t ring_frame = device_number(device, "framesz");
  const std::uint32_t ring = device_number(device, "framecnt");
  const auto queue = static_cast<std::uint16_t>(
      ring != 0 ? std::min(ring, 4096U) : (memory == Buffers::Memory::Own ? 512 : 2048));
  const std::uint32_t packet_bytes = std::max(
      {options.mtu + static_cast<std::uint32_t>(ethernet_bytes(options.vlan)), ring_frame, 2048U});
  const auto header = static_cast<std::uint32_t>(
      PacketHeader::bytes_of(addresses->filter.self.is_ipv6(), options.vlan));
  auto buffers = Buffers::create({.name = "phalanx-ether-" + std::to_string(number++),
                                  .frames = 2U * queue,
                                  .frame_bytes = packet_bytes,
                                  .header_bytes = header,
                                  .memory = memory});
  if (!buffers) return fail(std::move(buffers.error()));
  auto port = Port::open(
      {.device = device, .mtu = options.mtu, .queue_frames = queue, .pool = buffers->pool()});
  if (!port) return fail(std::move(port.error()));
  auto made =
      std::make_unique<Ethernet>(std::move(*buffers), std::move(*port), *addresses, options.mtu);
  if (!made->start()) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot start transport.port = \"" + options.device + "\"",
                      .observed = "the driver refuses to",
                      .remedy = "see whether another process has the device"});
  }
  return std::unique_ptr<Transport>(std::move(made));
}

}  // namespace phalanx::transport::dpdk
