#include "transport/shm/shm_transport.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <new>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/fd.h"
#include "transport/goes_to.h"
#include "transport/shm/frame_pool.h"
#include "transport/shm/introduction.h"
#include "transport/shm/layout.h"
#include "transport/shm/meeting.h"
#include "transport/shm/memory.h"

namespace phalanx::transport::shm {
namespace {

/// One ring that all nodes shared would have to be so long. Each has a ring of its own here, which
/// takes the ordered window and one submit window instead of everybody's.
constexpr std::uint32_t ring_frames(std::size_t peers) noexcept {
  return kRingFrames * static_cast<std::uint32_t>(peers + 2) / 2;
}

class Shm final : public Transport {
 public:
  Shm(Memory memory, std::uint32_t slots, std::uint32_t frame_bytes)
      : memory_(std::move(memory)),
        page_(new (memory_.data()) NodePage{}),
        pool_(slots),
        stride_(stride_of(frame_bytes)) {
    limits_.frame_bytes_max = frame_bytes;
    limits_.burst_frames_max = kBurst;
  }

  Expected<void, Error> open(const ShmConfig& config);

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override;
  void tx_burst(std::span<const TxFrame> frames) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override {
    for (Peer& peer : meeting_->peers()) {
      peer.member = std::ranges::find(members, peer.node) != members.end();
    }
  }
  [[nodiscard]] int wait_fd() const noexcept override { return wait_.get(); }
  [[nodiscard]] bool arm_wait() noexcept override;
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override { return counters_; }
  [[nodiscard]] TransportPorts ports() noexcept override;

 private:
  std::size_t receive(Peer& peer, std::span<RxFrame> out) noexcept;
  void look_at_links() noexcept;
  void take(Peer& peer) noexcept;
  void let_go(Peer& peer, const char* why) noexcept;
  void wake(Peer& peer) noexcept;
  void wake_up() noexcept;
  void give_lent() noexcept;
  [[nodiscard]] std::byte* bytes_of(std::uint32_t slot) const noexcept {
    return memory_.data() + kNodePageBytes + std::size_t{slot} * stride_;
  }

  Memory memory_;
  NodePage* page_;
  FramePool pool_;
  std::size_t stride_;
  std::unique_ptr<Meeting> meeting_;
  Fd wait_;  ///< An epoll set: what peers send to wake us, and the meeting.
  TransportLimits limits_;
  TransportCounters counters_;
  std::array<std::uint32_t, kBurst> lent_{};
  std::size_t lent_count_ = 0;
  std::size_t next_ = 0;  ///< The peer to be asked first: none may starve the others.
  std::uint32_t changes_ = 0;
  bool armed_ = false;
};

Expected<void, Error> Shm::open(const ShmConfig& config) {
  auto meeting = Meeting::open({.self = config.self,
                                .nodes = config.nodes,
                                .directory = config.directory,
                                .frame_bytes = config.frame_bytes},
                               memory_, static_cast<std::uint32_t>(pool_.slots()));
  if (!meeting) return fail(std::move(meeting.error()));
  meeting_ = std::move(*meeting);
  limits_.rx_ring_frames = ring_frames(meeting_->peers().size());
  wait_.reset(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = meeting_->worker_bell()}};
  if (!wait_ || epoll_ctl(wait_.get(), EPOLL_CTL_ADD, meeting_->worker_bell(), &event) != 0) {
    return fail(system_error("cannot wait for the nodes of this host", "epoll", errno));
  }
  return {};
}

std::size_t Shm::rx_burst(std::span<RxFrame> out) noexcept {
  if (armed_) wake_up();
  if (meeting_->changes() != changes_) [[unlikely]]
    look_at_links();
  const std::span<Peer> peers = meeting_->peers();
  const std::size_t count = peers.size();
  std::size_t frames = 0;
  for (std::size_t i = 0; i < count && frames < out.size(); ++i) {
    Peer& peer = peers[next_ + i < count ? next_ + i : next_ + i - count];
    if (peer.end.is_open()) frames += receive(peer, out.subspan(frames));
  }
  next_ = next_ + 1 < count ? next_ + 1 : 0;
  counters_.rx_frames += frames;
  return frames;
}

std::size_t Shm::receive(Peer& peer, std::span<RxFrame> out) noexcept {
  std::size_t count = 0;
  peer.end.receive(out.size(), [&](std::span<const std::byte> bytes) {
    counters_.rx_bytes += bytes.size();
    out[count++] = {.bytes = bytes, .cookie = &peer};
  });
  if (peer.end.broken() && peer.end.lent() == 0) [[unlikely]] {
    ++counters_.rx_refused;
    let_go(peer, "a node of this host described a frame that cannot be");
  }
  return count;
}

void Shm::rx_release(std::span<const RxFrame> frames) noexcept {
  for (std::size_t i = 0; i < frames.size();) {
    const std::size_t first = i;
    while (i < frames.size() && frames[i].cookie == frames[first].cookie) ++i;
    static_cast<Peer*>(frames[first].cookie)->end.give_back(i - first);
  }
}

std::size_t Shm::tx_alloc(std::span<TxFrame> out) noexcept {
  give_lent();
  for (Peer& peer : meeting_->peers()) {
    if (!peer.end.is_open()) continue;
    peer.end.reclaim([this](std::uint32_t slot) { pool_.drop(slot); });
  }
  lent_count_ = pool_.lend(std::span(lent_).first(std::min(out.size(), lent_.size())));
  for (std::size_t i = 0; i < lent_count_; ++i) {
    out[i] = {.bytes = {bytes_of(lent_[i]), limits_.frame_bytes_max}, .to = {}};
  }
  return lent_count_;
}

/// One sealed frame for all: each link holds it, and we until all have it.
void Shm::tx_burst(std::span<const TxFrame> frames) noexcept {
  PHX_DCHECK(frames.size() <= lent_count_);
  bool shown = false;
  for (Peer& peer : meeting_->peers()) {
    const bool open = peer.end.is_open();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (!goes_to(frames[i].to, peer.node, peer.member)) continue;
      const auto length = static_cast<std::uint32_t>(frames[i].length);
      if (!open || !peer.end.put({.slot = lent_[i], .length = length})) {
        ++counters_.tx_refused;
        continue;
      }
      pool_.hold(lent_[i]);
      ++counters_.tx_frames;
      counters_.tx_bytes += length;
    }
    if (open) shown = peer.end.publish() || shown;
  }
  give_lent();
  if (!shown || std::ranges::all_of(frames, &TxFrame::can_wait)) return;
  // What was shown is to be seen before the peer looks once more and sleeps; or else its flag is
  // seen here.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (Peer& peer : meeting_->peers()) {
    if (peer.end.is_open()) wake(peer);
  }
}

void Shm::give_lent() noexcept {
  while (lent_count_ > 0) pool_.drop(lent_[--lent_count_]);
}

void Shm::wake(Peer& peer) noexcept {
  const auto* page = reinterpret_cast<const NodePage*>(peer.peers_frames.data());
  const std::uint32_t sleeps = page->sleeps.load(std::memory_order_relaxed);
  if ((sleeps & 1) == 0 || sleeps == peer.woken) return;
  peer.woken = sleeps;
  const char word = 0;
  (void)send(peer.socket.get(), &word, sizeof word, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool Shm::arm_wait() noexcept {
  page_->sleeps.fetch_add(1, std::memory_order_relaxed);
  armed_ = true;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool waits = std::ranges::any_of(meeting_->peers(), [](const Peer& peer) {
    return peer.end.is_open() && peer.end.has_frames();
  });
  if (!waits && meeting_->changes() == changes_) return true;
  wake_up();
  return false;
}

/// Takes what woke us, or it would again.
void Shm::wake_up() noexcept {
  armed_ = false;
  page_->sleeps.fetch_add(1, std::memory_order_relaxed);
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(wait_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    eventfd_t ignored = 0;
    std::array<char, 8> words;
    if (fd == meeting_->worker_bell()) {
      (void)eventfd_read(fd, &ignored);
    } else {
      // One word a sleep; a peer that sends more wakes us once for every few.
      for (int word = 0; word < 4 && recv(fd, words.data(), words.size(), MSG_DONTWAIT) > 0;)
        ++word;
    }
  }
}

void Shm::look_at_links() noexcept {
  const std::uint32_t changes = meeting_->changes();
  eventfd_t ignored = 0;
  (void)eventfd_read(meeting_->worker_bell(), &ignored);
  bool done = true;
  for (Peer& peer : meeting_->peers()) {
    const Stage stage = peer.stage.load(std::memory_order_acquire);
    if (stage == Stage::Ready) take(peer);
    if (stage != Stage::Cut) continue;
    if (peer.end.lent() > 0) {
      done = false;
    } else {
      let_go(peer, nullptr);
    }
  }
  if (done) changes_ = changes;
}

void Shm::take(Peer& peer) noexcept {
  Stage ready = Stage::Ready;
  if (!peer.stage.compare_exchange_strong(ready, Stage::Up, std::memory_order_acq_rel)) return;
  peer.end.open(*reinterpret_cast<LinkPage*>(peer.own_page.data()),
                *reinterpret_cast<const LinkPage*>(peer.peers_page.data()),
                {.base = peer.peers_frames.data() + kNodePageBytes,
                 .slots = peer.peers_slots,
                 .stride = static_cast<std::uint32_t>(stride_),
                 .frame_bytes = limits_.frame_bytes_max});
  peer.woken = 0;
  epoll_event event{.events = EPOLLIN, .data = {.fd = peer.socket.get()}};
  if (epoll_ctl(wait_.get(), EPOLL_CTL_ADD, peer.socket.get(), &event) != 0) [[unlikely]]
    let_go(peer, "a link to a node of this host could not be waited for");
}

void Shm::let_go(Peer& peer, const char* why) noexcept {
  peer.end.close([this](std::uint32_t slot) { pool_.drop(slot); });
  (void)epoll_ctl(wait_.get(), EPOLL_CTL_DEL, peer.socket.get(), nullptr);
  meeting_->left(peer, why);
}

TransportPorts Shm::ports() noexcept {
  TransportPorts out{.driver = "shm",
                     .count = static_cast<std::uint32_t>(meeting_->peers().size())};
  for (const Peer& peer : meeting_->peers()) out.up += peer.end.is_open() ? 1 : 0;
  const Meeting::Trouble trouble = meeting_->trouble();
  out.trouble = trouble.what;
  out.troubles = trouble.count;
  out.trouble_at = trouble.at;
  return out;
}

}  // namespace

Expected<std::unique_ptr<Transport>, Error> open(const ShmConfig& config) {
  const std::size_t others = static_cast<std::size_t>(
      std::ranges::count_if(config.nodes, [&](NodeId node) { return node != config.self; }));
  const std::uint32_t slots = slots_for(others);
  auto memory = Memory::create("phalanx-frames", Meeting::frames_bytes(slots, config.frame_bytes),
                               Memory::kReadyBytes);
  if (!memory) return fail(std::move(memory.error()));
  auto made = std::make_unique<Shm>(std::move(*memory), slots, config.frame_bytes);
  if (auto opened = made->open(config); !opened) return fail(std::move(opened.error()));
  return std::unique_ptr<Transport>(std::move(made));
}

}  // namespace phalanx::transport::shm
