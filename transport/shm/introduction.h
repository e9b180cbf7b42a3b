#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ipc/base/fd.h"
#include "ipc/base/ids.h"
#include "transport/shm/layout.h"

namespace phalanx::transport::shm {

/// A slow peer holds at most its ring of frames, whatever the others do; two bursts are lent.
[[nodiscard]] constexpr std::uint32_t slots_for(std::size_t peers) noexcept {
  return static_cast<std::uint32_t>(peers * kRingFrames + 2 * kBurst);
}

/// The one message that both ends of a connection send, with two descriptors: the memory of the
/// node's frames and the page of this link. All nodes of a host run on one processor: its own byte
/// order.
struct Introduction {
  static constexpr std::uint32_t kMagic = 0x6e6c6870;  // "phln"
  static constexpr std::uint32_t kVersion = 1;
  /// Of a node with as many peers as a cluster can have.
  static constexpr std::uint32_t kSlotsMax = slots_for(63);

  std::uint32_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t node = 0;
  std::uint32_t ring_frames = 0;
  std::uint32_t frame_bytes = 0;
  std::uint32_t slots = 0;

  friend bool operator==(const Introduction&, const Introduction&) = default;
};

/// Bytes from one slot to the next: whole cache lines.
[[nodiscard]] constexpr std::uint32_t stride_of(std::uint32_t frame_bytes) noexcept {
  return (frame_bytes + 63) / 64 * 64;
}

struct Introduced {
  Introduction said;
  Fd frames;
  Fd page;
};

/// Why `said` cannot be linked with `own`; nullptr: it can. The words live for ever.
[[nodiscard]] const char* why_not(const Introduction& own, const Introduction& said) noexcept;

/// No call waits. False: the other end is gone, or too slow for one message.
[[nodiscard]] bool introduce(int socket, const Introduction& own, int frames, int page) noexcept;
/// What came is closed unless it is one whole introduction.
[[nodiscard]] std::optional<Introduced> hear(int socket) noexcept;

}  // namespace phalanx::transport::shm
