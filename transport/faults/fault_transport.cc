#include "transport/faults/fault_transport.h"

#include <algorithm>
#include <cstring>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::transport {
namespace {

constexpr std::size_t kSenderAt = 8;  // In the frame header: deploy/doc/wire.md.

}  // namespace

FaultTransport::FaultTransport(Transport& wire, std::uint64_t seed, Clock clock)
    : wire_(wire),
      random_(seed),
      clock_(clock),
      memory_(new std::byte[kHeldMax * wire.limits().frame_bytes_max]) {
  free_.reserve(kHeldMax);
  waiting_.reserve(kHeldMax);
  for (std::size_t i = 0; i < kHeldMax; ++i) {
    copies_[i].data = memory_.get() + i * wire.limits().frame_bytes_max;
    free_.push_back(&copies_[i]);
  }
}

void FaultTransport::set(NodeId peer, const Faults& faults) noexcept {
  for (PeerFaults& known : std::span(peers_).first(peer_count_)) {
    if (known.peer == peer) {
      known.faults = faults;
      return;
    }
  }
  PHX_CHECK(peer_count_ < peers_.size());
  peers_[peer_count_++] = {peer, faults};
}

void FaultTransport::set_all(const Faults& faults) noexcept {
  all_ = faults;
  peer_count_ = 0;
}

std::size_t FaultTransport::rx_burst(std::span<RxFrame> out) noexcept {
  const TimeNs now = clock_();
  std::size_t count = 0;
  for (; count < out.size(); ++count) {
    Copy* copy = next_due(now);
    if (copy == nullptr) break;
    out[count] = {.bytes = {copy->data, copy->length}, .cookie = copy};
  }

  std::array<RxFrame, kBurst> arrived;
  while (count < out.size()) {
    const std::size_t room = std::min(out.size() - count, kBurst);
    const std::size_t got = wire_.rx_burst(std::span(arrived).first(room));
    for (RxFrame& frame : std::span(arrived).first(got)) {
      if (!suffers(frame, now)) out[count++] = frame;
    }
    if (got < room) break;
  }
  fault_counters_.passed += count;
  return count;
}

void FaultTransport::rx_release(std::span<const RxFrame> frames) noexcept {
  for (const RxFrame& frame : frames) give_back(frame);
}

/// Whether the frame goes no further now; then it was given back or is held.
bool FaultTransport::suffers(RxFrame& frame, TimeNs now) noexcept {
  const Faults& faults = faults_of(frame);
  if (faults.cut || random_.chance_ppm(faults.drop_ppm)) {
    ++(faults.cut ? fault_counters_.cut : fault_counters_.dropped);
    give_back(frame);
    return true;
  }
  if (random_.chance_ppm(faults.duplicate_ppm)) {
    ++fault_counters_.duplicated;
    hold(frame, now + faults.delay + random_.below(faults.reorder_delay + 1));
  }
  if (random_.chance_ppm(faults.corrupt_ppm)) corrupt(frame);
  const bool late = random_.chance_ppm(faults.reorder_ppm);
  if (!late && faults.delay == 0) return false;
  ++fault_counters_.held;
  hold(frame, now + faults.delay + (late ? random_.below(faults.reorder_delay + 1) : 0));
  give_back(frame);
  return true;
}

/// By whom the header says that it was sent; a forged sender only meets another sender's faults.
const Faults& FaultTransport::faults_of(const RxFrame& frame) const noexcept {
  if (peer_count_ == 0 || frame.bytes.size() < kSenderAt + sizeof(NodeId)) return all_;
  const auto sender = load_le<std::uint32_t>(frame.bytes.data() + kSenderAt);
  for (const PeerFaults& known : std::span(peers_).first(peer_count_)) {
    if (known.peer == sender) return known.faults;
  }
  return all_;
}

FaultTransport::Copy* FaultTransport::copy_of(const RxFrame& frame) noexcept {
  if (free_.empty()) {
    ++fault_counters_.overrun;
    return nullptr;
  }
  Copy* copy = free_.back();
  free_.pop_back();
  copy->length = static_cast<std::uint32_t>(frame.bytes.size());
  std::memcpy(copy->data, frame.bytes.data(), frame.bytes.size());
  return copy;
}

void FaultTransport::hold(const RxFrame& frame, TimeNs due) noexcept {
  Copy* copy = copy_of(frame);
  if (copy == nullptr) return;
  copy->due = due;
  copy->number = ++number_;
  waiting_.push_back(copy);
}

/// Frames are read-only where they lie: a changed one is a copy.
void FaultTransport::corrupt(RxFrame& frame) noexcept {
  Copy* copy = frame.bytes.empty() ? nullptr : copy_of(frame);
  if (copy == nullptr) return;
  const std::uint64_t bit = random_.below(copy->length * std::uint64_t{8});
  copy->data[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  ++fault_counters_.corrupted;
  give_back(frame);
  frame = {.bytes = {copy->data, copy->length}, .cookie = copy};
}

FaultTransport::Copy* FaultTransport::next_due(TimeNs now) noexcept {
  const auto earliest =
      std::min_element(waiting_.begin(), waiting_.end(), [](const Copy* a, const Copy* b) {
        return a->due != b->due ? a->due < b->due : a->number < b->number;
      });
  if (earliest == waiting_.end() || (*earliest)->due > now) return nullptr;
  Copy* copy = *earliest;
  waiting_.erase(earliest);
  return copy;
}

bool FaultTransport::is_ours(const RxFrame& frame) const noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(frame.cookie);
  const auto first = reinterpret_cast<std::uintptr_t>(copies_.data());
  return at >= first && at < first + sizeof copies_;
}

void FaultTransport::give_back(const RxFrame& frame) noexcept {
  if (is_ours(frame)) {
    free_.push_back(static_cast<Copy*>(frame.cookie));
  } else {
    wire_.rx_release({&frame, 1});
  }
}

}  // namespace phalanx::transport
