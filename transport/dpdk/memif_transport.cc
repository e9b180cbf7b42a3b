#include "transport/dpdk/memif_transport.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "transport/dpdk/buffers.h"
#include "transport/dpdk/eal.h"
#include "transport/goes_to.h"

namespace phalanx::transport::dpdk {
namespace {

/// What the worker needs of a link, in a line of its own.
struct Peer {
  std::uint16_t port = 0;
  bool member = false;
  NodeId node = 0;
};

/// One ring that all nodes shared would have to be so long. Each has a ring of its own here, which
/// takes the ordered window and one submit window instead of everybody's.
constexpr std::uint32_t ring_frames(std::size_t nodes) noexcept {
  return MemifMesh::kRingFrames * static_cast<std::uint32_t>(nodes + 1) / 2;
}

class Memif final : public Transport {
 public:
  Memif(Buffers buffers, const MemifOptions& options)
      : buffers_(std::move(buffers)),
        mesh_(options),
        limits_{.frame_bytes_max = options.frame_bytes,
                .burst_frames_max = Buffers::kBurst,
                .rx_ring_frames = ring_frames(options.nodes.size())} {}

  Expected<void, Error> open() {
    if (auto opened = mesh_.open(buffers_.pool()); !opened) return opened;
    for (const MemifMesh::Link& link : mesh_.links()) {
      peers_.push_back({.port = link.port.number(), .node = link.peer});
    }
    return {};
  }

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override { Buffers::release(frames); }
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override { return buffers_.lend(out); }
  void tx_burst(std::span<const TxFrame> frames) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override {
    for (Peer& peer : peers_) {
      peer.member = std::find(members.begin(), members.end(), peer.node) != members.end();
    }
  }
  [[nodiscard]] int wait_fd() const noexcept override { return -1; }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override { return counters_; }
  [[nodiscard]] TransportPorts ports() noexcept override;

 private:
  std::size_t receive(std::size_t link, std::span<RxFrame> out) noexcept;
  void send(std::size_t link, std::span<rte_mbuf*> frames) noexcept;

  Buffers buffers_;  ///< Outlives the ports, whose rings hold of it.
  MemifMesh mesh_;
  std::vector<Peer> peers_;
  TransportLimits limits_;
  TransportCounters counters_;
  std::size_t next_ = 0;  ///< The link to be asked first: none may starve the others.
  bool registered_ = false;
};

std::size_t Memif::rx_burst(std::span<RxFrame> out) noexcept {
  if (!registered_) [[unlikely]] {
    register_thread();
    registered_ = true;
  }
  if (!mesh_.poller().enter()) [[unlikely]]
    return 0;
  std::size_t count = 0;
  const std::size_t links = peers_.size();
  for (std::size_t i = 0; i < links && count < out.size(); ++i) {
    const std::size_t link = next_ + i < links ? next_ + i : next_ + i - links;
    if (mesh_.links()[link].up) count += receive(link, out.subspan(count));
  }
  next_ = next_ + 1 < links ? next_ + 1 : 0;
  counters_.rx_frames += count;
  return count;
}

std::size_t Memif::receive(std::size_t link, std::span<RxFrame> out) noexcept {
  std::array<rte_mbuf*, Buffers::kBurst> mbufs;
  const auto room = static_cast<std::uint16_t>(std::min(out.size(), mbufs.size()));
  const std::uint16_t got = rte_eth_rx_burst(peers_[link].port, 0, mbufs.data(), room);
  std::size_t count = 0;
  for (rte_mbuf* mbuf : std::span(mbufs).first(got)) {
    if (mbuf->nb_segs != 1 || mbuf->data_len > limits_.frame_bytes_max) [[unlikely]] {
      ++counters_.rx_refused;
      rte_pktmbuf_free(mbuf);
      continue;
    }
    counters_.rx_bytes += mbuf->data_len;
    out[count++] = {.bytes = {rte_pktmbuf_mtod(mbuf, std::byte*), mbuf->data_len}, .cookie = mbuf};
  }
  return count;
}

/// One sealed mbuf goes to all: each link holds a reference, and we one until all have theirs.
void Memif::tx_burst(std::span<const TxFrame> frames) noexcept {
  const std::span<rte_mbuf*> sealed = buffers_.take(frames);
  std::array<rte_mbuf*, Buffers::kBurst> batch;
  for (std::size_t link = 0; link < peers_.size(); ++link) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (!goes_to(frames[i].to, peers_[link].node, peers_[link].member)) continue;
      rte_mbuf_refcnt_update(sealed[i], 1);
      batch[count++] = sealed[i];
    }
    if (count > 0) send(link, std::span(batch).first(count));
  }
  if (!sealed.empty()) {
    rte_pktmbuf_free_bulk(sealed.data(), static_cast<unsigned>(sealed.size()));
  }
}

void Memif::send(std::size_t link, std::span<rte_mbuf*> frames) noexcept {
  std::uint16_t sent = 0;
  if (mesh_.poller().entered() && mesh_.links()[link].up) {
    sent = rte_eth_tx_burst(peers_[link].port, 0, frames.data(),
                            static_cast<std::uint16_t>(frames.size()));
  }
  counters_.tx_frames += sent;
  counters_.tx_refused += frames.size() - sent;
  // The driver has freed what it sent, but a lent mbuf lives until the end of tx_burst().
  for (const rte_mbuf* mbuf : frames.first(sent)) counters_.tx_bytes += mbuf->data_len;
  for (rte_mbuf* mbuf : frames.subspan(sent)) rte_pktmbuf_free(mbuf);
}

TransportPorts Memif::ports() noexcept {
  TransportPorts out{.driver = "net_memif", .count = static_cast<std::uint32_t>(peers_.size())};
  // Links change while the poller stands aside only.
  if (!mesh_.poller().entered()) return out;
  for (const MemifMesh::Link& link : mesh_.links()) out.up += link.up ? 1 : 0;
  return out;
}

}  // namespace

Expected<std::unique_ptr<Transport>, Error> open_memif(const MemifOptions& options) {
  static std::atomic<unsigned> number{0};  // A process may open several, in tests.
  auto buffers = Buffers::create({.name = "phalanx-memif-" + std::to_string(number++),
                                  .frames = 0,
                                  .frame_bytes = options.frame_bytes,
                                  .header_bytes = 0});
  if (!buffers) return fail(std::move(buffers.error()));
  auto made = std::make_unique<Memif>(std::move(*buffers), options);
  if (auto opened = made->open(); !opened) return fail(std::move(opened.error()));
  return std::unique_ptr<Transport>(std::move(made));
}

}  // namespace phalanx::transport::dpdk
