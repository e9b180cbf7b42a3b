#include "transport/dpdk/ethernet.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>

#include "transport/dpdk/eal.h"

namespace phalanx::transport::dpdk {
namespace {

constexpr int kBurstsMost = 16;  ///< A whole ring of other people's packets in one look.

}  // namespace

Ethernet::Ethernet(std::shared_ptr<PortQueues> queues, std::uint16_t worker,
                   const Addresses& addresses, std::uint32_t mtu)
    : queues_(std::move(queues)),
      worker_(worker),
      filter_(addresses.filter),
      statistics_(queues_->port.number()) {
  rte_ether_addr own{};
  rte_eth_macaddr_get(port().number(), &own);
  Mac mac{};
  std::memcpy(mac.data(), own.addr_bytes, mac.size());
  const udp::Address from = filter_.self.plus_port(worker_);
  for (const auto& [node, address] : addresses.peers) {
    peers_.push_back({.node = node,
                      .member = false,
                      .header = PacketHeader(mac, from, kBroadcastMac, address.plus_port(worker_),
                                             filter_.vlan)});
  }
  if (filter_.group) {
    const udp::Address group = filter_.group->plus_port(worker_);
    group_.emplace(mac, from, multicast_mac(group), group, filter_.vlan);
    if (worker_ == 0) report_.emplace(mac, from, group, filter_.vlan);
  }
  const bool ipv6 = filter_.self.is_ipv6();
  offload_ = {.ip = port().features().ip_checksum, .udp = port().features().udp_checksum};
  if (offload_.ip && !ipv6) send_flags_ |= RTE_MBUF_F_TX_IP_CKSUM;
  if (offload_.udp) send_flags_ |= RTE_MBUF_F_TX_UDP_CKSUM;
  if (send_flags_ != 0) send_flags_ |= ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
  const std::size_t overhead = PacketHeader::bytes_of(ipv6, 0) - ethernet_bytes(0);
  // A hash may bring the frames of all workers into one queue.
  const std::uint32_t sharers = queues_->steered ? 1 : filter_.workers;
  limits_ = {.frame_bytes_max = mtu - static_cast<std::uint32_t>(overhead),
             .burst_frames_max = Buffers::kBurst,
             .rx_ring_frames = port().features().rx_frames / sharers};
  both_ = watch_both();
  // The group is asked for at once; frames of others come as soon as they are sent.
  if (report_) report_membership();
}

/// A descriptor for two: the driver's, and the doorbell of the other workers.
Fd Ethernet::watch_both() const noexcept {
  const std::vector<int>& fds = port().features().wait_fds;
  if (queues_->handover == nullptr || fds.empty()) return {};
  Fd both(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {fds[worker_], queues_->handover->doorbell(worker_)}) {
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (epoll_ctl(both.get(), EPOLL_CTL_ADD, fd, &event) != 0) return {};
  }
  return both;
}

int Ethernet::wait_fd() const noexcept {
  const std::vector<int>& fds = port().features().wait_fds;
  if (queues_->handover != nullptr) return both_.get();
  return fds.empty() ? -1 : fds.front();
}

bool Ethernet::arm_wait() noexcept {
  return queues_->handover == nullptr || queues_->handover->arm(worker_);
}

std::size_t Ethernet::rx_burst(std::span<RxFrame> out) noexcept {
  if (!registered_) [[unlikely]] {
    register_thread();
    registered_ = true;
  }
  if (report_due_) [[unlikely]]
    report_membership();
  Handover* handover = queues_->handover.get();
  // Half of the room each, and then what is left of it: neither may starve the other.
  std::size_t count = handover != nullptr ? take_handed(out.first(out.size() / 2)) : 0;
  // Other packets of the segment must not make a full ring look empty; nor is there an end to them.
  for (int tries = 0; tries < kBurstsMost && count < out.size(); ++tries) {
    const auto room = static_cast<std::uint16_t>(std::min(out.size() - count, Buffers::kBurst));
    std::uint16_t got = 0;
    count += receive(out.subspan(count, room), got);
    if (got < room) break;
  }
  if (handover != nullptr) {
    handover->wake(worker_);
    if (!queues_->steered) count += take_handed(out.subspan(count));
  }
  counters_.rx_frames += count;
  return count;
}

/// One burst of the queue: what of it is for this worker.
std::size_t Ethernet::receive(std::span<RxFrame> out, std::uint16_t& got) noexcept {
  std::array<rte_mbuf*, Buffers::kBurst> mbufs;
  got = rte_eth_rx_burst(port().number(), worker_, mbufs.data(),
                         static_cast<std::uint16_t>(out.size()));
  std::size_t count = 0;
  for (rte_mbuf* mbuf : std::span(mbufs).first(got)) {
    if (accept(mbuf, out[count])) ++count;
  }
  return count;
}

std::size_t Ethernet::take_handed(std::span<RxFrame> out) noexcept {
  std::array<rte_mbuf*, Buffers::kBurst> mbufs;
  std::size_t count = 0;
  for (std::size_t got = mbufs.size(); got == mbufs.size() && count < out.size();) {
    const std::size_t room = std::min(out.size() - count, mbufs.size());
    got = queues_->handover->take(worker_, std::span(mbufs).first(room));
    for (rte_mbuf* mbuf : std::span(mbufs).first(got)) {
      if (accept(mbuf, out[count])) ++count;
    }
  }
  return count;
}

/// Takes it, hands it over or frees it. False: it is no frame for this worker.
bool Ethernet::accept(rte_mbuf* mbuf, RxFrame& out) noexcept {
  const auto packet = read(mbuf);
  if (!packet) [[unlikely]] {
    ++counters_.rx_refused;
    rte_pktmbuf_free(mbuf);
    return false;
  }
  if (packet->worker != worker_) [[unlikely]] {
    if (!queues_->handover->give(worker_, packet->worker, mbuf)) lose(mbuf);
    return false;
  }
  counters_.rx_bytes += packet->frame.size();
  out = {.bytes = packet->frame, .cookie = mbuf};
  return true;
}

void Ethernet::lose(rte_mbuf* mbuf) noexcept {
  ++counters_.rx_overflow;
  rte_pktmbuf_free(mbuf);
}

std::optional<Packet> Ethernet::read(const rte_mbuf* mbuf) const noexcept {
  const std::uint64_t flags = mbuf->ol_flags;
  if (mbuf->nb_segs != 1 || (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD ||
      (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) [[unlikely]] {
    return std::nullopt;
  }
  std::optional<VlanId> stripped;  // Kernels do, and cards may.
  if ((flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) stripped = vlan_of(mbuf->vlan_tci);
  auto packet =
      parse_packet({rte_pktmbuf_mtod(mbuf, const std::byte*), mbuf->data_len}, filter_, stripped);
  if (packet && (packet->own || packet->frame.size() > limits_.frame_bytes_max)) packet.reset();
  return packet;
}

/// Copies first, the lent mbuf itself to the last: with a group, or one peer, nothing is copied.
void Ethernet::tx_burst(std::span<const TxFrame> frames) noexcept {
  const std::span<rte_mbuf*> sealed = buffers().take(frames);
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
  rte_mbuf* copy = rte_pktmbuf_alloc(buffers().pool());
  if (copy == nullptr) return nullptr;
  std::memcpy(rte_pktmbuf_mtod(copy, void*), rte_pktmbuf_mtod(mbuf, const void*), mbuf->data_len);
  copy->data_len = mbuf->data_len;
  copy->pkt_len = mbuf->pkt_len;
  return copy;
}

void Ethernet::flush() noexcept {
  if (waiting_count_ == 0) return;
  const std::uint16_t sent = rte_eth_tx_burst(port().number(), worker_, waiting_.data(),
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
  if (worker_ != 0) return;
  const bool due = looks_++ % kLooksBetween == 0;
  const bool had_link = queues_->has_link->load(std::memory_order_relaxed);
  bool has_link = had_link;
  const Port::Features& features = port().features();
  if (due || features.tells_link || (features.loses_link && looks_ % kLooksForLink == 0)) {
    has_link = port().has_link();
    queues_->has_link->store(has_link, std::memory_order_relaxed);
  }
  if (!due && has_link == had_link) return;
  rte_eth_stats stats{};
  if (rte_eth_stats_get(port().number(), &stats) == 0) overflow_ = stats.imissed;
  statistics_.look();
  // What was said before there was a link, or to a switch before this one, was said to nobody.
  looks_since_link_ = has_link && !had_link ? 0 : looks_since_link_ + 1;
  report_due_ = report_.has_value() &&
                (looks_since_link_ < kReportsAtOnce || looks_since_link_ % kLooksToReport == 0);
}

/// Counted as no frame: it is none.
void Ethernet::report_membership() noexcept {
  report_due_ = false;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(buffers().pool());
  if (mbuf == nullptr) return;
  const std::span<const std::byte> packet = report_->packet();
  std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(packet.size())), packet.data(),
              packet.size());
  if (rte_eth_tx_burst(port().number(), worker_, &mbuf, 1) == 0) rte_pktmbuf_free(mbuf);
}

TransportCounters Ethernet::counters() const noexcept {
  look_at_port();
  TransportCounters out = counters_;
  out.rx_overflow += overflow_;
  return out;
}

TransportPorts Ethernet::ports() noexcept {
  return {queues_->name.c_str(), 1, queues_->has_link->load(std::memory_order_relaxed) ? 1U : 0U};
}

}  // namespace phalanx::transport::dpdk
