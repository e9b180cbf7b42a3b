#pragma once

#include <cstdint>
#include <optional>

#include "ipc/base/fd.h"
#include "ipc/base/ids.h"

namespace phalanx::transport::shm {

/// The one message that both ends of a connection send, with two descriptors: the memory of the
/// node's frames and the page of this link. All nodes of a host run on one processor: its own byte
/// order.
struct Introduction {
  static constexpr std::uint32_t kMagic = 0x6e6c6870;  // "phln"
  static constexpr std::uint32_t kVersion = 1;
  static constexpr std::uint32_t kSlotsMax = 1U << 20;

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
