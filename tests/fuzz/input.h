#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "ipc/base/ids.h"

namespace phalanx::fuzz {

/// Draws what a structure-aware target does from the bytes of one input. Past the end all is zero.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  std::uint64_t take(std::size_t bytes) {
    std::array<std::uint8_t, 8> little{};
    const std::size_t taken = std::min({bytes, rest_.size(), little.size()});
    std::copy_n(rest_.begin(), taken, little.begin());
    rest_ = rest_.subspan(taken);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < taken; ++i) value |= std::uint64_t{little[i]} << (8 * i);
    return value;
  }

  /// Less than `choices`.
  std::size_t choose(std::size_t choices) { return take(1) % choices; }
  bool flip() { return choose(2) == 1; }

  /// A number near where arithmetic goes wrong, or near `here`, or small, or any.
  std::uint64_t number(std::uint64_t here = 0) {
    constexpr std::array<std::uint64_t, 6> kEdges = {0,
                                                     std::uint64_t{1} << 16,
                                                     std::uint64_t{1} << 31,
                                                     std::uint64_t{1} << 32,
                                                     std::uint64_t{1} << 63,
                                                     1024};
    const std::size_t how = choose(16);
    if (how < kEdges.size()) return kEdges[how] + choose(33) - 16;
    if (how < 11) return here + choose(65) - 32;
    if (how < 13) return here + 8 * choose(256);
    return how < 15 ? choose(256) : take(8);
  }

  /// So many bytes, or what is left of them.
  std::span<const std::byte> bytes(std::size_t most) {
    const auto taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return std::as_bytes(taken);
  }
  std::span<const std::byte> all() { return bytes(rest_.size()); }

 private:
  std::span<const std::uint8_t> rest_;
};

/// A node of the targets' clusters: its boot id tells its node and its life.
inline Member member_of(NodeId node, std::uint8_t life = 1) {
  Member member{node, {}};
  member.boot.bytes[0] = static_cast<std::uint8_t>(node);
  member.boot.bytes[1] = life;
  return member;
}

}  // namespace phalanx::fuzz
