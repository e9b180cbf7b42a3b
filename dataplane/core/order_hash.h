#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/core/record.h"

namespace phalanx::core {

/// A rolling hash over the order of records in one (view, lane): equal prefixes give equal hashes,
/// so nodes that compare checkpoints find a divergence in the field. Covers what was ordered and
/// where, not the payload (the cipher's tag does). Multiply-xor mixing with the constants of
/// splitmix64.
class OrderHash {
 public:
  struct Checkpoint {
    std::uint64_t index = 0;  ///< 1 for the first record end at or above one interval; 0 is none.
    std::uint64_t hash = 0;
  };
  static constexpr std::uint64_t kIntervalBytes = 1 << 16;

  void reset() noexcept { *this = OrderHash{}; }

  void add(const RecordHeader& header, Position position, Position end) noexcept {
    mix(position ^ (std::uint64_t{header.origin} << 40));
    mix(header.stream_position ^ (std::uint64_t{header.payload_bytes} << 8) ^
        static_cast<std::uint64_t>(header.kind));
    const std::uint64_t index = end / kIntervalBytes;
    if (index != last_.index) {
      last_ = {index, value_};
      recent_[index % recent_.size()] = last_;
    }
  }

  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }
  [[nodiscard]] const Checkpoint& last() const noexcept { return last_; }
  /// True when both have the checkpoint and it differs.
  [[nodiscard]] bool contradicts(const Checkpoint& other) const noexcept {
    const Checkpoint& mine = recent_[other.index % recent_.size()];
    return other.index != 0 && mine.index == other.index && mine.hash != other.hash;
  }

  /// Shows its fields to a visitor (ipc/base/fields.h).
  static void visit(auto& self, auto& v) {
    v(self.value_);
    v(self.last_.index);
    v(self.last_.hash);
    if (v.kDigest) return;  // Older ones follow from the rest.
    for (auto& checkpoint : self.recent_) {
      v(checkpoint.index);
      v(checkpoint.hash);
    }
  }

 private:
  void mix(std::uint64_t x) noexcept {
    value_ = (value_ ^ x) * 0xbf58476d1ce4e5b9ULL;
    value_ ^= value_ >> 29;
  }

  std::uint64_t value_ = 0x9e3779b97f4a7c15ULL;
  Checkpoint last_;
  std::array<Checkpoint, 8> recent_{};
};

}  // namespace phalanx::core
