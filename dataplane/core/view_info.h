#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "ipc/base/ids.h"

namespace phalanx::core {

/// The installed view, shared by all lanes of a core. Ranks are places in the sorted member list.
struct ViewInfo {
  static constexpr std::size_t kNone = kNodesMax;

  ViewId id;
  std::array<Member, kNodesMax> entries{};
  std::size_t count = 0;
  std::size_t self = kNone;

  [[nodiscard]] std::span<const Member> members() const noexcept { return {entries.data(), count}; }
  [[nodiscard]] NodeId node(std::size_t rank) const noexcept { return entries[rank].node; }
  [[nodiscard]] std::size_t rank_of(NodeId node) const noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      if (entries[i].node == node) return i;
    }
    return kNone;
  }
};

}  // namespace phalanx::core
