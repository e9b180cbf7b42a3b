#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/core/core.h"
#include "ipc/base/assert.h"
#include "transport/wire/messages.h"

namespace phalanx::core {

/// The receiving half of a stream of bytes with positions: a lane's log or one origin's submit
/// stream. Knows which bytes are held, contiguous and above; the bytes themselves are in a ring
/// that is mapped twice, so no range ever wraps. Used for the log, for submit streams at the
/// orderer, and for tails at a view change.
class Receiver {
 public:
  enum class Fit : std::uint8_t { Free, Held, Partial };

  /// Starts empty at `start`; position p lives at ring offset (offset + p) mod bytes.
  void reset(const RingMemory& memory, std::uint64_t offset, Position start) noexcept {
    PHX_CHECK(memory.bytes != 0 && (memory.bytes & (memory.bytes - 1)) == 0);
    memory_ = memory;
    offset_ = offset;
    received_ = known_end_ = start;
    held_count_ = 0;
  }

  [[nodiscard]] Position received() const noexcept { return received_; }
  [[nodiscard]] Position known_end() const noexcept { return known_end_; }
  [[nodiscard]] bool complete_to(Position end) const noexcept { return received_ >= end; }
  [[nodiscard]] std::span<const wire::Range> held() const noexcept {
    return {held_.data(), held_count_};
  }
  [[nodiscard]] std::byte* at(Position p) const noexcept {
    return memory_.data + ((offset_ + p) & (memory_.bytes - 1));
  }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return memory_.bytes; }

  /// Somebody has bytes up to `end`: what is missing below is a gap.
  void note_end(Position end) noexcept { known_end_ = std::max(known_end_, end); }

  [[nodiscard]] Fit fit(Position from, Position to) const noexcept {
    if (to <= received_) return Fit::Held;
    if (from >= received_ && held_count_ == 0) return Fit::Free;
    bool touches = from < received_;
    for (const wire::Range& r : held()) {
      if (r.from <= from && to <= r.to) return Fit::Held;
      touches = touches || (r.from < to && from < r.to);
    }
    return touches ? Fit::Partial : Fit::Free;
  }

  /// Whether insert() would succeed: the table of ranges above `received` is bounded.
  [[nodiscard]] bool has_room(Position from) const noexcept {
    return from <= received_ || held_count_ < held_.size();
  }

  /// Copies those bytes of [from, from + bytes.size()) that are not held, then insert()s the range.
  void fill(Position from, std::span<const std::byte> bytes) noexcept;

  /// Marks [from, to) as held; the caller has written the bytes.
  void insert(Position from, Position to) noexcept;

  /// The log's own writer appends: bytes are in place already.
  void append(Position to) noexcept {
    PHX_CHECK(held_count_ == 0 && to >= received_);
    received_ = to;
    note_end(to);
  }

  /// Forgets everything at and above `end`, which is not below received().
  void drop_above(Position end) noexcept;

  /// Writes the gaps of [received, end), lowest first; returns how many.
  [[nodiscard]] std::size_t missing(Position end, std::span<wire::Range> out) const noexcept;

  /// Shows its fields to a visitor (ipc/base/fields.h); where the bytes are is not among them.
  static void visit(auto& self, auto& v) {
    v(self.offset_);
    v(self.received_);
    v(self.known_end_);
    v(self.held_count_);
    const std::size_t held = std::min(self.held_count_, self.held_.size());
    for (std::size_t i = 0; i < held; ++i) {
      v(self.held_[i].from);
      v(self.held_[i].to);
    }
  }
  /// What insert() and drop_above() keep true.
  [[nodiscard]] bool is_consistent() const noexcept {
    Position end = received_;
    if (held_count_ > held_.size()) return false;
    for (const wire::Range& r : held()) {
      if (r.from <= end || r.to <= r.from) return false;
      end = r.to;
    }
    return end <= known_end_;
  }

  /// A replay's: the bytes are to be put there.
  void lies_in(const RingMemory& memory) noexcept { memory_ = memory; }

  /// Goes on in other memory, which has room for every held byte; held bytes move along.
  void move_to(const RingMemory& memory) noexcept;

 private:
  RingMemory memory_;
  std::uint64_t offset_ = 0;
  Position received_ = 0;
  Position known_end_ = 0;
  std::array<wire::Range, wire::kRangesMax> held_{};
  std::size_t held_count_ = 0;
};

}  // namespace phalanx::core
