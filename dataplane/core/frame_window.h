#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ipc/base/ids.h"

namespace phalanx::core {

/// Bounds the frames in flight of one stream, beside its bound in bytes: small frames fill a
/// receive ring as well as large ones do. Remembers where the last `frames` frames ended.
class FrameWindow {
 public:
  explicit FrameWindow(std::uint32_t frames) : ends_(frames == 0 ? 1 : frames, 0) {}

  void reset() noexcept { sent_ = 0; }
  /// Whether one more frame may leave when all receivers have everything below `acknowledged`.
  [[nodiscard]] bool has_room(Position acknowledged) const noexcept {
    return sent_ < ends_.size() || ends_[sent_ % ends_.size()] <= acknowledged;
  }
  void note(Position end) noexcept { ends_[sent_++ % ends_.size()] = end; }

  /// Shows its fields to a visitor (ipc/base/fields.h).
  static void visit(auto& self, auto& v) {
    v(self.sent_);
    if (v.kDigest) return;  // What the ends are follows from the rest.
    const std::size_t used = std::min<std::uint64_t>(self.sent_, self.ends_.size());
    for (std::size_t i = 0; i < used; ++i) v(self.ends_[i]);
  }

 private:
  std::vector<Position> ends_;
  std::uint64_t sent_ = 0;
};

}  // namespace phalanx::core
