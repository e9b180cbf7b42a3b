#include "perf/micro/memory_wire.h"

#include <algorithm>

namespace phalanx::bench {

using transport::Destination;
using transport::RxFrame;
using transport::TxFrame;

std::vector<std::unique_ptr<transport::Transport>> MemoryWire::make(std::size_t nodes,
                                                                    std::uint32_t frame_bytes) {
  auto shared = std::make_shared<Shared>();
  for (std::size_t i = 0; i < kFrames; ++i) {
    shared->frames.push_back(
        std::make_unique<Frame>(Frame{.bytes = std::make_unique<std::byte[]>(frame_bytes)}));
    shared->free.push_back(shared->frames.back().get());
  }
  std::vector<std::unique_ptr<Transport>> out;
  for (NodeId node = 1; node <= nodes; ++node) {
    std::unique_ptr<MemoryWire> wire(new MemoryWire(shared, node, frame_bytes));
    shared->nodes.push_back(wire.get());
    out.push_back(std::move(wire));
  }
  return out;
}

MemoryWire::MemoryWire(std::shared_ptr<Shared> shared, NodeId self, std::uint32_t frame_bytes)
    : shared_(std::move(shared)),
      self_(self),
      limits_{.frame_bytes_max = frame_bytes, .burst_frames_max = 64, .rx_ring_frames = kRing},
      ring_(kRing) {}

bool MemoryWire::inject(std::span<const std::byte> bytes) noexcept {
  if (tail_ - head_ == kRing || shared_->free.empty() || bytes.size() > limits_.frame_bytes_max) {
    return false;
  }
  Frame* frame = shared_->free.back();
  shared_->free.pop_back();
  std::ranges::copy(bytes, frame->bytes.get());
  frame->length = bytes.size();
  frame->readers = 1;
  ring_[tail_++ % kRing] = frame;
  return true;
}

std::size_t MemoryWire::rx_burst(std::span<RxFrame> out) noexcept {
  std::size_t count = 0;
  for (; count < out.size() && head_ != tail_; ++count) {
    Frame* frame = ring_[head_++ % kRing];
    out[count] = {.bytes = {frame->bytes.get(), frame->length}, .cookie = frame};
    counters_.rx_bytes += frame->length;
  }
  counters_.rx_frames += count;
  return count;
}

void MemoryWire::rx_release(std::span<const RxFrame> frames) noexcept {
  for (const RxFrame& received : frames) {
    auto* frame = static_cast<Frame*>(received.cookie);
    if (--frame->readers == 0) shared_->free.push_back(frame);
  }
}

std::size_t MemoryWire::tx_alloc(std::span<TxFrame> out) noexcept {
  while (lent_.size() < out.size() && !shared_->free.empty()) {
    lent_.push_back(shared_->free.back());
    shared_->free.pop_back();
  }
  const std::size_t count = std::min(out.size(), lent_.size());
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {.bytes = {lent_[i]->bytes.get(), limits_.frame_bytes_max},
              .length = 0,
              .to = {},
              .cookie = lent_[i]};
  }
  return count;
}

void MemoryWire::tx_burst(std::span<const TxFrame> frames) noexcept {
  for (const TxFrame& sent : frames) {
    auto* frame = static_cast<Frame*>(sent.cookie);
    frame->length = sent.length;
    frame->readers = 0;
    for (MemoryWire* node : shared_->nodes) {
      const bool wanted = node->self_ != self_ &&
                          (sent.to.kind != Destination::Kind::Peer || sent.to.peer == node->self_);
      if (!wanted || node->tail_ - node->head_ == kRing) continue;
      node->ring_[node->tail_++ % kRing] = frame;
      ++frame->readers;
    }
    if (frame->readers == 0) shared_->free.push_back(frame);
    if (kept_.size() < kept_most_) {
      kept_.emplace_back(frame->bytes.get(), frame->bytes.get() + sent.length);
    }
    ++counters_.tx_frames;
    counters_.tx_bytes += sent.length;
  }
  lent_.erase(lent_.begin(), lent_.begin() + static_cast<std::ptrdiff_t>(frames.size()));
}

}  // namespace phalanx::bench
