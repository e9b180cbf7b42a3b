#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <cstdint>

#include "ipc/base/time_ns.h"

namespace phalanx::transport::verbs {

/// What last made a queue pair useless, or keeps it so, kept for whoever asks later: the adapter
/// tells it once. One thread. Cold.
class Trouble {
 public:
  /// `what` ("ibv_post_send") was refused with an errno.
  void refused(const char* what, int error) noexcept;
  /// A completion failed. After the first all others are flushed: these say nothing new.
  void completed(const char* what, const ibv_wc& done) noexcept;
  void event(ibv_event_type type) noexcept;
  /// Of a peer that cannot be heard, or cannot hear; the caller says it once. What broke here
  /// counts for more: after that it is not kept.
  void mismatch(std::uint32_t node, const char* what, std::uint32_t theirs,
                std::uint32_t ours) noexcept;

  /// "" when nothing ever was.
  [[nodiscard]] const char* text() const noexcept { return text_.data(); }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] TimeNs at() const noexcept { return at_; }

 private:
  void took_place() noexcept;
  void broke() noexcept;

  std::array<char, 80> text_{};
  bool broke_ = false;  ///< The text is of this node's queue pair.
  std::uint64_t count_ = 0;
  TimeNs at_ = 0;
};

}  // namespace phalanx::transport::verbs
