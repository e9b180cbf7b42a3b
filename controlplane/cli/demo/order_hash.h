#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace phalanx::cli {

/// Hash of one delivered thing: 16 bytes a step, three chains at once, so that hashing what is
/// delivered stays cheap beside delivering it. For telling sequences apart, not against forgers.
class ItemHash {
 public:
  explicit ItemHash(std::uint64_t kind) noexcept : a_(mix(kind, kOne)), b_(kThree), c_(kOne) {}

  void add(std::uint64_t value) noexcept { a_ = mix(a_ ^ value, kOne); }

  void add(const void* data, std::size_t bytes) noexcept {
    const auto* at = static_cast<const unsigned char*>(data);
    a_ = mix(a_ ^ bytes, kTwo);
    for (; bytes >= 48; bytes -= 48, at += 48) {
      a_ = mix(load(at) ^ kOne, load(at + 8) ^ a_);
      b_ = mix(load(at + 16) ^ kTwo, load(at + 24) ^ b_);
      c_ = mix(load(at + 32) ^ kThree, load(at + 40) ^ c_);
    }
    for (; bytes >= 8; bytes -= 8, at += 8) a_ = mix(a_ ^ load(at), kThree);
    if (bytes > 0) {
      std::uint64_t last = 0;
      std::memcpy(&last, at, bytes);
      a_ = mix(a_ ^ last, kOne);
    }
  }

  [[nodiscard]] std::uint64_t value() const noexcept { return mix(a_ ^ b_, c_ ^ kTwo); }

 private:
  static constexpr std::uint64_t kOne = 0xa0761d6478bd642f;
  static constexpr std::uint64_t kTwo = 0xe7037ed1a0b428db;
  static constexpr std::uint64_t kThree = 0x8ebc6af09c88c6e3;

  __extension__ using Wide = unsigned __int128;
  static std::uint64_t mix(std::uint64_t x, std::uint64_t y) noexcept {
    const Wide product = static_cast<Wide>(x) * y;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  static std::uint64_t load(const unsigned char* at) noexcept {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  std::uint64_t a_;
  std::uint64_t b_;
  std::uint64_t c_;
};

/// Rolling hash of a sequence, of which the hash of any later part can be had: who came late is
/// compared with the end of what the others delivered. hash(n) = hash(n - 1) * kBase + item(n).
struct OrderHash {
  std::uint64_t items = 0;
  std::uint64_t hash = 0;

  void add(std::uint64_t item) noexcept {
    ++items;
    hash = hash * kBase + item;
  }

  /// Of what was added after `start`, an earlier state of this one.
  [[nodiscard]] OrderHash since(const OrderHash& start) const noexcept {
    const std::uint64_t count = items - start.items;
    return {.items = count, .hash = hash - start.hash * power(count)};
  }

  friend bool operator==(const OrderHash&, const OrderHash&) = default;

 private:
  static constexpr std::uint64_t kBase = 0x9e3779b97f4a7c17;

  static std::uint64_t power(std::uint64_t exponent) noexcept {
    std::uint64_t result = 1;
    for (std::uint64_t base = kBase; exponent != 0; exponent >>= 1, base *= base) {
      if ((exponent & 1) != 0) result *= base;
    }
    return result;
  }
};

}  // namespace phalanx::cli
