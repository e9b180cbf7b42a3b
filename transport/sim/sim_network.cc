#include "transport/sim/sim_network.h"

#include <algorithm>
#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::transport {
namespace {

constexpr std::uint32_t kReceiverShift = 26;
constexpr std::uint32_t kBufferMask = (1u << kReceiverShift) - 1;
constexpr std::uint32_t kStalledPpm = 20'000;  ///< Of the frames that are gathered.
constexpr TimeNs kStallMost = 60 * kMillisecond;

std::uint64_t sum_of(std::span<const std::byte> bytes) noexcept {
  std::uint64_t sum = 14695981039346656037U;
  for (const std::byte one : bytes) sum = (sum ^ static_cast<std::uint64_t>(one)) * 1099511628211U;
  return sum;
}

}  // namespace

SimNetwork::SimNetwork(std::size_t nodes, const TransportLimits& limits, std::uint64_t seed)
    : nodes_(nodes), limits_(limits), random_(seed), links_(nodes * nodes) {
  PHX_CHECK(nodes >= 1 && nodes <= kNodesMax);
  for (std::size_t i = 0; i < nodes; ++i) {
    ports_.push_back(std::make_unique<SimPort>(*this, static_cast<NodeId>(i + 1)));
  }
}

SimNetwork::~SimNetwork() = default;

void SimNetwork::set_all_links(const LinkFaults& faults) {
  for (Link& link : links_) link.faults = faults;
}

std::uint64_t SimNetwork::deliver_until(TimeNs now) {
  std::uint64_t reached = 0;
  while (flight_.next_at() <= now) {
    const std::uint32_t what = flight_.pop().what;
    const std::uint32_t receiver = what >> kReceiverShift;
    std::uint32_t buffer = what & kBufferMask;
    if (buffers_[buffer].gathered_at != 0) buffer = read_now(buffer);
    if (ports_[receiver]->arrive(buffer)) {
      ++counters_.arrived;
      reached |= std::uint64_t{1} << receiver;
    } else {
      ++counters_.overrun;
      drop_reference(buffer);
    }
  }
  return reached;
}

void SimNetwork::forget_arrived(NodeId node) noexcept {
  SimPort& dead = port(node);
  while (dead.head_ != dead.tail_) {
    drop_reference(dead.receive_[dead.head_++ % dead.receive_.size()]);
  }
  dead.members_.clear();
}

std::uint32_t SimNetwork::take_buffer(std::size_t capacity) {
  if (free_buffers_.empty()) {
    buffers_.emplace_back();
    free_buffers_.push_back(static_cast<std::uint32_t>(buffers_.size() - 1));
    PHX_CHECK(buffers_.size() <= kBufferMask);
  }
  const std::uint32_t index = free_buffers_.back();
  free_buffers_.pop_back();
  Buffer& buffer = buffers_[index];
  if (buffer.capacity < capacity) {
    buffer.bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
    buffer.capacity = static_cast<std::uint32_t>(capacity);
  }
  buffer.references = 1;
  buffer.length = 0;
  buffer.gathered_at = 0;
  return index;
}

void SimNetwork::drop_reference(std::uint32_t buffer) noexcept {
  PHX_CHECK(buffers_[buffer].references > 0);
  if (--buffers_[buffer].references == 0) free_buffers_.push_back(buffer);
}

void SimNetwork::send(NodeId from, NodeId to, std::uint32_t buffer) {
  Link& link = links_[(from - 1) * nodes_ + (to - 1)];
  const LinkFaults& faults = link.faults;
  ++counters_.sent;
  if (faults.cut || random_.chance_ppm(faults.drop_ppm)) {
    ++counters_.dropped;
    return;
  }
  const TimeNs delay = faults.delay + random_.below(faults.jitter + 1);
  if (buffers_[buffer].gathered_at != 0 && random_.chance_ppm(kStalledPpm)) {
    launch(link, to, buffer, delay + random_.below(kStallMost), /*in_order=*/false);
    return;
  }
  if (random_.chance_ppm(faults.duplicate_ppm)) {
    ++counters_.duplicated;
    launch(link, to, buffer, delay + random_.below(faults.reorder_delay + 1), /*in_order=*/false);
  }
  if (forger_ != nullptr && random_.chance_ppm(faults.forge_ppm)) {
    const std::uint32_t copy = copy_of(buffer);
    forger_({buffers_[copy].bytes.get(), buffers_[copy].length}, random_);
    launch(link, to, copy, delay + random_.below(faults.reorder_delay + 1), /*in_order=*/false);
    drop_reference(copy);
  }
  if (random_.chance_ppm(faults.corrupt_ppm)) {
    ++counters_.corrupted;
    const std::uint32_t copy = corrupted_copy(buffer);
    launch(link, to, copy, delay, /*in_order=*/true);
    drop_reference(copy);
    return;
  }
  if (random_.chance_ppm(faults.reorder_ppm)) {
    ++counters_.reordered;
    launch(link, to, buffer, delay + random_.below(faults.reorder_delay + 1), /*in_order=*/false);
    return;
  }
  launch(link, to, buffer, delay, /*in_order=*/true);
}

void SimNetwork::launch(Link& link, NodeId to, std::uint32_t buffer, TimeNs delay, bool in_order) {
  TimeNs at = now_ + delay;
  if (in_order) link.last_arrival = at = std::max(at, link.last_arrival);
  ++buffers_[buffer].references;
  flight_.push(at, buffer | ((to - 1) << kReceiverShift));
}

std::uint32_t SimNetwork::copy_of(std::uint32_t buffer) {
  const std::uint32_t copy =
      take_buffer(std::max(buffers_[buffer].length, limits_.frame_bytes_max));
  const Buffer& from = buffers_[buffer];
  Buffer& to = buffers_[copy];
  const std::size_t before = from.gathered_at;
  const std::size_t gathered = before == 0 ? 0 : from.gathered.size();
  std::memcpy(to.bytes.get(), from.bytes.get(), before);
  if (gathered > 0) std::memcpy(&to.bytes[before], from.gathered.data(), gathered);
  std::memcpy(to.bytes.get() + before + gathered, from.bytes.get() + before,
              from.length - before - gathered);
  to.length = from.length;
  return copy;
}

/// For one that arrives: as memory is now.
std::uint32_t SimNetwork::read_now(std::uint32_t buffer) {
  ++counters_.gathered;
  if (sum_of(buffers_[buffer].gathered) != buffers_[buffer].sum) ++counters_.changed;
  const std::uint32_t copy = copy_of(buffer);
  drop_reference(buffer);
  return copy;
}

std::uint32_t SimNetwork::corrupted_copy(std::uint32_t buffer) {
  const std::uint32_t copy = copy_of(buffer);
  const Buffer& from = buffers_[buffer];
  Buffer& to = buffers_[copy];
  if (random_.percent(20)) {  // Truncated at any byte, the empty frame included.
    to.length = static_cast<std::uint32_t>(random_.below(from.length + 1));
    return copy;
  }
  for (std::uint64_t flips = random_.range(1, 4); flips > 0 && to.length > 0; --flips) {
    to.bytes[random_.below(to.length)] ^= static_cast<std::byte>(1u << random_.below(8));
  }
  return copy;
}

SimPort::SimPort(SimNetwork& network, NodeId self)
    : network_(network), self_(self), receive_(network.limits_.rx_ring_frames) {}

bool SimPort::arrive(std::uint32_t buffer) noexcept {
  if (tail_ - head_ == receive_.size()) return false;
  receive_[tail_++ % receive_.size()] = buffer;
  return true;
}

std::size_t SimPort::rx_burst(std::span<RxFrame> out) noexcept {
  std::size_t count = 0;
  while (count < out.size() && head_ != tail_) {
    const std::uint32_t index = receive_[head_++ % receive_.size()];
    const SimNetwork::Buffer& buffer = network_.buffers_[index];
    out[count++] = {.bytes = {buffer.bytes.get(), buffer.length},
                    .cookie = reinterpret_cast<void*>(static_cast<std::uintptr_t>(index))};
  }
  return count;
}

void SimPort::rx_release(std::span<const RxFrame> frames) noexcept {
  for (const RxFrame& frame : frames) {
    network_.drop_reference(
        static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(frame.cookie)));
  }
}

std::size_t SimPort::tx_alloc(std::span<TxFrame> out) noexcept {
  PHX_CHECK(lent_.empty());
  for (TxFrame& frame : out) {
    const std::uint32_t index = network_.take_buffer(network_.limits_.frame_bytes_max);
    lent_.push_back(index);
    frame = {.bytes = {network_.buffers_[index].bytes.get(), network_.limits_.frame_bytes_max},
             .cookie = reinterpret_cast<void*>(static_cast<std::uintptr_t>(index))};
  }
  return out.size();
}

void SimPort::tx_burst(std::span<const TxFrame> frames) noexcept {
  PHX_CHECK(frames.size() <= lent_.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    PHX_CHECK(frames[i].length <= network_.limits_.frame_bytes_max);
    SimNetwork::Buffer& buffer = network_.buffers_[lent_[i]];
    buffer.length = static_cast<std::uint32_t>(frames[i].length);
    buffer.gathered_at = frames[i].gathered_at;
    buffer.gathered = frames[i].gathered;
    if (buffer.gathered_at != 0) buffer.sum = sum_of(buffer.gathered);
    route(lent_[i], frames[i].to);
  }
  for (const std::uint32_t buffer : lent_) network_.drop_reference(buffer);
  lent_.clear();
}

void SimPort::send_large(std::span<const std::byte> bytes, const Destination& to) {
  const std::uint32_t index =
      network_.take_buffer(std::max<std::size_t>(bytes.size(), network_.limits_.frame_bytes_max));
  SimNetwork::Buffer& buffer = network_.buffers_[index];
  std::memcpy(buffer.bytes.get(), bytes.data(), bytes.size());
  buffer.length = static_cast<std::uint32_t>(bytes.size());
  route(index, to);
  network_.drop_reference(index);
}

void SimPort::set_members(std::span<const NodeId> members) noexcept {
  members_.assign(members.begin(), members.end());
}

void SimPort::route(std::uint32_t buffer, const Destination& to) {
  switch (to.kind) {
    case Destination::Kind::Peer:
      if (to.peer != self_ && to.peer >= 1 && to.peer <= network_.nodes_) {
        network_.send(self_, to.peer, buffer);
      }
      return;
    case Destination::Kind::Members:
      for (const NodeId member : members_) {
        if (member != self_) network_.send(self_, member, buffer);
      }
      return;
    case Destination::Kind::Everyone:
      for (NodeId peer = 1; peer <= network_.nodes_; ++peer) {
        if (peer != self_) network_.send(self_, peer, buffer);
      }
      return;
  }
}

}  // namespace phalanx::transport
