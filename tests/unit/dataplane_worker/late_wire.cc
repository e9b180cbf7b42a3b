#include "tests/unit/dataplane_worker/late_wire.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::worker::testing {

LateWire::LateWire(std::size_t nodes, std::uint32_t seed) : random_(seed) {
  for (NodeId id = 1; id <= nodes; ++id) ends_.push_back(std::make_unique<LateEnd>(*this, id));
}

LateWire::~LateWire() = default;

std::vector<transport::Transport*> LateWire::ends() {
  std::vector<transport::Transport*> out;
  for (const auto& end : ends_) out.push_back(end.get());
  return out;
}

void LateWire::turn(std::deque<Posted>& queue) {
  if (chance(stall_percent)) return;
  for (std::size_t i = 0; i < frames_a_turn && !queue.empty(); ++i) {
    Posted& frame = queue.front();
    if (frame.to == aside_for || (!frame.gathered.empty() && chance(aside_percent))) {
      aside_.push_back(std::move(frame));
    } else {
      send(frame);
    }
    queue.pop_front();
  }
}

void LateWire::let_go() {
  for (Posted& frame : aside_) send(frame);
  aside_.clear();
}

void LateWire::send(Posted& frame) {
  if (!std::ranges::equal(frame.gathered, frame.as_posted)) ++changed;
  std::vector<std::byte>& bytes = frame.bytes;
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(frame.gathered_at),
               frame.gathered.begin(), frame.gathered.end());
  ends_[frame.to - 1]->inbox_.push_back(std::move(bytes));
}

std::size_t LateEnd::rx_burst(std::span<transport::RxFrame> out) noexcept {
  wire_.turn(posted_);
  const std::size_t count = std::min(out.size(), inbox_.size());
  for (std::size_t i = 0; i < count; ++i) out[i] = {.bytes = inbox_[i]};
  return count;
}

void LateEnd::rx_release(std::span<const transport::RxFrame> frames) noexcept {
  inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(frames.size()));
}

std::size_t LateEnd::tx_alloc(std::span<transport::TxFrame> out) noexcept {
  const std::size_t count = std::min(out.size(), buffers_.size());
  for (std::size_t i = 0; i < count; ++i) out[i] = {.bytes = buffers_[i]};
  return count;
}

// Header and tag stay in a buffer until the frame has left: here they are put aside.
void LateEnd::tx_burst(std::span<const transport::TxFrame> frames) noexcept {
  for (const transport::TxFrame& frame : frames) {
    PHX_CHECK(frame.length <= limits_.frame_bytes_max);
    PHX_CHECK(frame.gathered.empty() || is_lent(frame.gathered));
    const auto own = static_cast<std::ptrdiff_t>(frame.length - frame.gathered.size());
    LateWire::Posted one{.bytes = {frame.bytes.begin(), frame.bytes.begin() + own},
                         .gathered_at = frame.gathered_at,
                         .gathered = frame.gathered,
                         .as_posted = {frame.gathered.begin(), frame.gathered.end()}};
    if (!frame.gathered.empty()) ++wire_.gathered;
    const auto post = [&](NodeId to) {
      one.to = to;
      if (to != self_) posted_.push_back(one);
    };
    if (frame.to.kind == transport::Destination::Kind::Peer) {
      post(frame.to.peer);
    } else {
      std::ranges::for_each(members_, post);
    }
  }
}

Expected<bool, Error> LateEnd::lend_memory(std::span<const std::span<const std::byte>> memory) {
  lent_.assign(memory.begin(), memory.end());
  return true;
}

bool LateEnd::is_lent(std::span<const std::byte> bytes) const noexcept {
  return std::ranges::any_of(lent_, [&](std::span<const std::byte> ring) {
    return bytes.data() >= ring.data() && bytes.data() + bytes.size() <= ring.data() + ring.size();
  });
}

}  // namespace phalanx::worker::testing
