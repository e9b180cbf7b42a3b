#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace phalanx::transport::shm {

/// What nodes of one host share. Every page has one writer, the process that made it; all others
/// can map it to be read only, whatever they try (memory.h). So nobody can damage a node's memory;
/// what stands in it is hostile to whoever reads it all the same, and read once.

/// Each way of each link. Long enough for lane.window at its default: nodes that share cores go on
/// for a scheduler's slice before they answer, and a shorter window leaves the sender idle.
inline constexpr std::uint32_t kRingFrames = 1024;
inline constexpr std::size_t kBurst = 64;

/// A frame in its sender's memory: which slot, and how many bytes of it.
struct Descriptor {
  std::uint32_t slot = 0;
  std::uint32_t length = 0;

  [[nodiscard]] static constexpr Descriptor of(std::uint64_t word) noexcept {
    return {.slot = static_cast<std::uint32_t>(word >> 32),
            .length = static_cast<std::uint32_t>(word)};
  }
  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return static_cast<std::uint64_t>(slot) << 32 | length;
  }
};

/// One for each end of a link, of that end: what it sent, and how far it took what the other end
/// sent. Counts of frames, from 0; frame N stands at ring[N % kRingFrames].
struct LinkPage {
  alignas(64) std::atomic<std::uint64_t> sent;
  alignas(64) std::atomic<std::uint64_t> taken;
  alignas(64) std::array<std::atomic<std::uint64_t>, kRingFrames> ring;
};

/// Before the frames of a node.
struct NodePage {
  /// Odd while the worker sleeps, and another number each time: who has sent wakes it once.
  alignas(64) std::atomic<std::uint32_t> sleeps;
};
inline constexpr std::size_t kNodePageBytes = 4096;

static_assert(sizeof(NodePage) <= kNodePageBytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace phalanx::transport::shm
