#include "dataplane/core/receiver.h"

#include <cstring>

namespace phalanx::core {

void Receiver::fill(Position from, std::span<const std::byte> bytes) noexcept {
  const Position to = from + bytes.size();
  Position at_position = std::max(from, received_);
  for (const wire::Range& r : held()) {
    if (r.to <= at_position) continue;
    if (r.from >= to) break;
    if (r.from > at_position) {
      std::memcpy(at(at_position), bytes.data() + (at_position - from), r.from - at_position);
    }
    at_position = r.to;
  }
  if (at_position < to) {
    std::memcpy(at(at_position), bytes.data() + (at_position - from), to - at_position);
  }
  insert(from, to);
}

void Receiver::insert(Position from, Position to) noexcept {
  note_end(to);
  if (to <= received_) return;
  if (from <= received_) {
    received_ = to;
    std::size_t used = 0;
    while (used < held_count_ && held_[used].from <= received_) {
      received_ = std::max(received_, held_[used].to);
      ++used;
    }
    std::copy(held_.begin() + static_cast<std::ptrdiff_t>(used),
              held_.begin() + static_cast<std::ptrdiff_t>(held_count_), held_.begin());
    held_count_ -= used;
    return;
  }
  // Merge with every range that overlaps or touches; the table stays sorted and apart.
  std::size_t first = 0;
  while (first < held_count_ && held_[first].to < from) ++first;
  std::size_t last = first;
  while (last < held_count_ && held_[last].from <= to) {
    from = std::min(from, held_[last].from);
    to = std::max(to, held_[last].to);
    ++last;
  }
  if (first == last) {
    PHX_CHECK(held_count_ < held_.size());
    std::copy_backward(held_.begin() + static_cast<std::ptrdiff_t>(first),
                       held_.begin() + static_cast<std::ptrdiff_t>(held_count_),
                       held_.begin() + static_cast<std::ptrdiff_t>(held_count_) + 1);
    ++held_count_;
  } else {
    std::copy(held_.begin() + static_cast<std::ptrdiff_t>(last),
              held_.begin() + static_cast<std::ptrdiff_t>(held_count_),
              held_.begin() + static_cast<std::ptrdiff_t>(first) + 1);
    held_count_ -= last - first - 1;
  }
  held_[first] = {from, to};
}

void Receiver::drop_above(Position end) noexcept {
  PHX_CHECK(end >= received_);
  while (held_count_ > 0 && held_[held_count_ - 1].from >= end) --held_count_;
  if (held_count_ > 0) held_[held_count_ - 1].to = std::min(held_[held_count_ - 1].to, end);
  known_end_ = end;
}

std::size_t Receiver::missing(Position end, std::span<wire::Range> out) const noexcept {
  std::size_t count = 0;
  Position from = received_;
  for (const wire::Range& r : held()) {
    if (count == out.size() || from >= end) return count;
    out[count++] = {from, std::min(r.from, end)};
    from = r.to;
  }
  if (count < out.size() && from < end) out[count++] = {from, end};
  return count;
}

void Receiver::move_to(const RingMemory& memory) noexcept {
  PHX_CHECK((memory.bytes & (memory.bytes - 1)) == 0);
  const RingMemory old = memory_;
  const auto copy = [&](Position from, Position to) {
    const std::byte* source = old.data + ((offset_ + from) & (old.bytes - 1));
    std::memcpy(memory.data + ((offset_ + from) & (memory.bytes - 1)), source, to - from);
  };
  const std::uint64_t keep = std::min(old.bytes, memory.bytes);
  const Position low = received_ > keep ? received_ - keep : 0;
  copy(low, received_);
  for (const wire::Range& r : held()) copy(r.from, r.to);
  memory_ = memory;
}

}  // namespace phalanx::core
