#include "transport/links/links_transport.h"

#include <sys/epoll.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::transport {
namespace {

/// Probes that fit into the silence that convicts a link: some may be lost.
constexpr TimeNs kProbesASilence = 5;

// Which link a lent frame is from lies in the highest bit of its cookie: no pointer of a process
// has it, and no number of a buffer.
constexpr std::uintptr_t kSecondLink = std::uintptr_t{1} << 63;

void* cookie_of(std::uintptr_t bits) noexcept {
  return reinterpret_cast<void*>(bits);  // NOLINT(performance-no-int-to-ptr)
}

RxFrame tagged(RxFrame frame, std::size_t link) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(frame.cookie);
  PHX_CHECK((bits & kSecondLink) == 0);
  if (link != 0) frame.cookie = cookie_of(bits | kSecondLink);
  return frame;
}

std::size_t link_of(const RxFrame& frame) noexcept {
  return (reinterpret_cast<std::uintptr_t>(frame.cookie) & kSecondLink) != 0 ? 1 : 0;
}

RxFrame untagged(RxFrame frame) noexcept {
  frame.cookie = cookie_of(reinterpret_cast<std::uintptr_t>(frame.cookie) & ~kSecondLink);
  return frame;
}

}  // namespace

LinksTransport::LinksTransport(Wires wires, const LinkChoice::Config& config, Clock clock) noexcept
    : wires_(std::move(wires)),
      choice_(config),
      clock_(clock),
      probe_interval_(config.silent_after / kProbesASilence) {
  limits_ = wires_[0]->limits();
  const TransportLimits& other = wires_[1]->limits();
  limits_.frame_bytes_max = std::min(limits_.frame_bytes_max, other.frame_bytes_max);
  limits_.burst_frames_max =
      std::min({limits_.burst_frames_max, other.burst_frames_max, std::uint32_t{kBurst}});
  limits_.rx_ring_frames = std::min(limits_.rx_ring_frames, other.rx_ring_frames);
  driver_ = std::string(wires_[0]->ports().driver) + "+" + wires_[1]->ports().driver;
}

Expected<std::unique_ptr<LinksTransport>, Error> LinksTransport::open(
    Wires wires, const LinkChoice::Config& config, Clock clock) {
  std::unique_ptr<LinksTransport> made(new LinksTransport(std::move(wires), config, clock));
  const bool pollable =
      std::ranges::all_of(made->wires_, [](const auto& wire) { return wire->wait_fd() >= 0; });
  if (!pollable) return made;
  made->wait_.reset(epoll_create1(EPOLL_CLOEXEC));
  for (const auto& wire : made->wires_) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = wire->wait_fd()}};
    if (epoll_ctl(made->wait_.get(), EPOLL_CTL_ADD, wire->wait_fd(), &event) != 0) {
      return fail(system_error("cannot wait for two links", "epoll_ctl", errno));
    }
  }
  return made;
}

// Read in turns first, so that a flood over one of them leaves room for the other.
std::size_t LinksTransport::rx_burst(std::span<RxFrame> out) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < kLinksMax && count < out.size(); ++i) {
    const std::size_t link = (first_ + i) % kLinksMax;
    const std::size_t got = wires_[link]->rx_burst(out.subspan(count));
    for (RxFrame& frame : out.subspan(count, got)) frame = tagged(frame, link);
    count += got;
  }
  first_ = (first_ + 1) % kLinksMax;
  return count;
}

void LinksTransport::rx_release(std::span<const RxFrame> frames) noexcept {
  std::array<RxFrame, kBurst> own;
  for (std::size_t link = 0; link < kLinksMax; ++link) {
    std::size_t count = 0;
    for (const RxFrame& frame : frames) {
      if (link_of(frame) != link) continue;
      own[count++] = untagged(frame);
      if (count < own.size()) continue;
      wires_[link]->rx_release(own);
      count = 0;
    }
    if (count > 0) wires_[link]->rx_release(std::span(own).first(count));
  }
}

std::size_t LinksTransport::tx_alloc(std::span<TxFrame> out) noexcept {
  used_ = choice_.choose(clock_());
  const std::size_t lent = wires_[std::countr_zero(used_)]->tx_alloc(
      out.first(std::min<std::size_t>(out.size(), limits_.burst_frames_max)));
  for (TxFrame& frame : out.first(lent)) frame.spread = Spread::Used;
  return lent;
}

bool LinksTransport::goes_over(const TxFrame& frame, std::size_t link) const noexcept {
  switch (frame.spread) {
    case Spread::Used:
      return (used_ >> link & 1U) != 0;
    case Spread::Probe:
      return link == probed_;
    case Spread::Every:
      return true;
  }
  return true;
}

/// What goes over one link only proves it; of two in use each needs probes of its own.
bool LinksTransport::probe_due() noexcept {
  const TimeNs now = clock_();
  for (std::size_t link = 0; link < kLinksMax; ++link) {
    if (used_ == (1U << link) || now - probed_at_[link] < probe_interval_) continue;
    probed_ = link;
    probed_at_[link] = now;
    return true;
  }
  return false;
}

// Frames for the other link are copied before they go: a transport takes its buffers back with the
// burst.
void LinksTransport::tx_burst(std::span<const TxFrame> frames) noexcept {
  const auto lender = static_cast<std::size_t>(std::countr_zero(used_));
  const std::size_t other = 1 - lender;
  std::array<TxFrame, kBurst> copies;
  const auto wanted = static_cast<std::size_t>(
      std::ranges::count_if(frames, [&](const TxFrame& frame) { return goes_over(frame, other); }));
  if (wanted > 0) {
    const std::size_t room = wires_[other]->tx_alloc(std::span(copies).first(wanted));
    std::size_t count = 0;
    for (const TxFrame& frame : frames) {
      if (count == room) break;
      if (!goes_over(frame, other)) continue;
      TxFrame& copy = copies[count++];
      std::memcpy(copy.bytes.data(), frame.bytes.data(), frame.length);
      copy.length = frame.length;
      copy.to = frame.to;
    }
    if (room > 0) wires_[other]->tx_burst(std::span(copies).first(count));
  }
  std::size_t own = 0;  // All but a probe of the other link, which comes alone.
  while (own < frames.size() && goes_over(frames[own], lender)) ++own;
  wires_[lender]->tx_burst(frames.first(own));
}

void LinksTransport::authenticated(NodeId sender, const RxFrame& frame) noexcept {
  wires_[link_of(frame)]->authenticated(sender, untagged(frame));
}

void LinksTransport::heard(NodeId sender, std::uint8_t links_heard, const RxFrame& frame) noexcept {
  choice_.heard(sender, link_of(frame), links_heard & kAllLinks, clock_());
}

void LinksTransport::set_members(std::span<const NodeId> members) noexcept {
  for (const auto& wire : wires_) wire->set_members(members);
  choice_.set_members(members, clock_());
}

bool LinksTransport::arm_wait() noexcept { return wires_[0]->arm_wait() && wires_[1]->arm_wait(); }

TransportCounters LinksTransport::counters() const noexcept {
  TransportCounters out = wires_[0]->counters();
  const TransportCounters other = wires_[1]->counters();
  out.rx_frames += other.rx_frames;
  out.rx_bytes += other.rx_bytes;
  out.rx_overflow += other.rx_overflow;
  out.rx_refused += other.rx_refused;
  out.tx_frames += other.tx_frames;
  out.tx_bytes += other.tx_bytes;
  out.tx_refused += other.tx_refused;
  return out;
}

TransportPorts LinksTransport::ports() noexcept {
  const TransportPorts one = wires_[0]->ports();
  const TransportPorts other = wires_[1]->ports();
  const bool newer = other.trouble_at > one.trouble_at;
  return {.driver = driver_.c_str(),
          .count = one.count + other.count,
          .up = one.up + other.up,
          .trouble = newer ? other.trouble : one.trouble,
          .troubles = one.troubles + other.troubles,
          .trouble_at = newer ? other.trouble_at : one.trouble_at};
}

std::size_t LinksTransport::extended(std::span<ExtendedCounter> out) const noexcept {
  const std::size_t count = wires_[0]->extended(out);
  return count + wires_[1]->extended(out.subspan(count));
}

LinkReport LinksTransport::link(std::size_t which) noexcept {
  return {.ports = wires_[which]->ports(),
          .counters = wires_[which]->counters(),
          .used = (used_ >> which & 1U) != 0,
          .heard = (choice_.hears() >> which & 1U) != 0};
}

}  // namespace phalanx::transport
