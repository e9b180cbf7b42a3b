#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace phalanx {

/// Counts of values in log-linear buckets: 64 for each power of two, so that a bucket is never
/// wider than 1/64 of its values (1.6 %); values up to 2^40 (18 minutes in nanoseconds), larger
/// ones count as the largest. Plain data of fixed size (18 KiB): may lie in shared memory, with one
/// writer.
class Histogram {
 public:
  void add(std::uint64_t value) noexcept {
    ++counts_[bucket_of(value)];
    ++total_;
    if (value > max_) max_ = value;
  }

  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.max_ > max_) max_ = other.max_;
  }

  /// The upper edge of the bucket that holds the value of that rank; `quantile` 0.99 is p99. Never
  /// more than max(). 0 when empty.
  [[nodiscard]] std::uint64_t at(double quantile) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(quantile * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return upper_edge(i) < max_ ? upper_edge(i) : max_;
    }
    return max_;
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr std::uint64_t kSub = 1U << kSubBits;
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) * kSub;

  // Values below kSub have a bucket each; above, the exponent chooses a row and the next kSubBits
  // bits the bucket in it.
  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value >= (std::uint64_t{1} << kMaxBits)) return kBuckets - 1;
    if (value < kSub) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
    return static_cast<std::size_t>((shift + 1) * kSub + ((value >> shift) - kSub));
  }

  static constexpr std::uint64_t upper_edge(std::size_t bucket) noexcept {
    if (bucket < kSub) return bucket;
    const std::uint64_t shift = bucket / kSub - 1;
    return ((kSub + bucket % kSub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

static_assert(std::is_trivially_copyable_v<Histogram>);

}  // namespace phalanx
