#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "ipc/recorder/event.h"

namespace phalanx::recorder {

inline constexpr std::uint64_t kMagic = 0x3145524358485001;
inline constexpr std::uint32_t kVersion = 1;
/// Events begin here, whatever the header says: a spoilt header costs the times and no more.
inline constexpr std::size_t kHeaderBytes = 4096;
inline constexpr std::uint32_t kSlotsMin = 64;
inline constexpr std::uint32_t kSlotsMax = 1u << 20;
/// 1 MiB of events a thread.
inline constexpr std::uint32_t kSlotsDefault = 16384;

/// The same moment on three clocks. Two of them turn ticks into times.
struct Anchor {
  std::uint64_t ticks = 0;
  TimeNs monotonic = 0;
  std::uint64_t wall_ns = 0;  ///< Since 1970, UTC.
  std::uint64_t check = 0;

  friend bool operator==(const Anchor&, const Anchor&) = default;
};

[[nodiscard]] constexpr std::uint64_t check_of(const Anchor& anchor) noexcept {
  const std::uint64_t sum = 0x2545f4914f6cdd1d + anchor.ticks * 0xbf58476d1ce4e5b9 +
                            anchor.monotonic * 0x94d049bb133111eb +
                            anchor.wall_ns * 0xd6e8feb86659fd93;
  return sum ^ sum >> 29;
}

/// A recorder's file: this page, then `slots` events; the event with number n is in slot
/// (n - 1) mod slots. In the host's byte order: it is read where it was written, or on a host of
/// the same kind. Written by one thread.
struct FileHeader {
  std::uint64_t magic = 0;
  std::uint32_t version = 0;
  std::uint32_t slots = 0;
  std::uint32_t pid = 0;
  NodeId node = 0;
  BootId boot;                    ///< Of the process; none where it has none.
  std::array<char, 16> writer{};  ///< "worker": whose file this is; ends with a zero.
  std::uint32_t node_count = 0;
  std::uint32_t reserved = 0;
  std::array<NodeId, kNodesMax> nodes{};  ///< All configured, sorted: what node sets count by.
  std::uint64_t check = 0;                ///< Of all above; what follows changes.
  Anchor first;                           ///< At start.
  std::array<Anchor, 2> last;  ///< Alternating, so that a writer killed half-way leaves one whole.
};
static_assert(std::is_trivially_copyable_v<FileHeader> && sizeof(FileHeader) <= kHeaderBytes);
static_assert(offsetof(FileHeader, check) == 24 + 16 + 16 + 8 + 256);

[[nodiscard]] std::uint64_t check_of(const FileHeader& header) noexcept;

}  // namespace phalanx::recorder
