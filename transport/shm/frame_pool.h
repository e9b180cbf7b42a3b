#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ipc/base/assert.h"

namespace phalanx::transport::shm {

/// Which slots of a node's frame memory are free, and how many links hold each of the others. The
/// last one freed is lent first: it is still in the cache. One thread.
class FramePool {
 public:
  explicit FramePool(std::uint32_t slots) : holders_(slots, 0) {
    free_.reserve(slots);
    while (slots > 0) free_.push_back(--slots);
  }

  /// Lends up to out.size() slots, each with one holder: the caller.
  [[nodiscard]] std::size_t lend(std::span<std::uint32_t> out) noexcept {
    std::size_t count = 0;
    while (count < out.size() && !free_.empty()) {
      out[count] = free_.back();
      free_.pop_back();
      holders_[out[count++]] = 1;
    }
    return count;
  }
  void hold(std::uint32_t slot) noexcept { ++holders_[slot]; }
  void drop(std::uint32_t slot) noexcept {
    PHX_DCHECK(holders_[slot] > 0);
    if (--holders_[slot] == 0) free_.push_back(slot);
  }

  [[nodiscard]] std::size_t free() const noexcept { return free_.size(); }
  [[nodiscard]] std::size_t slots() const noexcept { return holders_.size(); }

 private:
  std::vector<std::uint16_t> holders_;  ///< By slot.
  std::vector<std::uint32_t> free_;     ///< Never grows over its reserve.
};

}  // namespace phalanx::transport::shm
