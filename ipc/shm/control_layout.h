#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ipc/base/ids.h"

namespace phalanx::shm {

/// The memory that data plane and control plane share. Made by the data plane, passed as a sealed
/// memfd; outlives the control plane. One writer each part, named beside it. Fixed-width plain
/// data.
inline constexpr std::uint64_t kControlMagic = 0x4c5254'4358'4850;  // "PHXCTRL"
inline constexpr std::uint32_t kControlVersion = 6;
inline constexpr std::size_t kControlRingBytes = std::size_t{2} << 20;
inline constexpr std::size_t kControlMessageBytesMax = (std::size_t{1} << 20) + 8192;
inline constexpr std::size_t kAttemptBytesMax = 64 * 1024;
inline constexpr std::size_t kObituaryBytesMax = 512;

/// One direction of messages: u32 length, bytes, padding to 8. Indices run on for ever.
struct alignas(64) ControlRing {
  alignas(64) std::uint64_t head;  ///< Written by the producer.
  std::uint32_t consumer_sleeps;   ///< Set by the consumer, cleared by whoever rings.
  alignas(64) std::uint64_t tail;  ///< Written by the consumer.
  alignas(64) std::byte bytes[kControlRingBytes];
};

/// Two copies and which one counts, so that a writer killed half-way leaves the old one.
struct alignas(64) AttemptMemory {
  std::uint32_t current;  ///< 0 or 1.
  std::uint32_t length[2];
  std::byte bytes[2][kAttemptBytesMax];
};

struct ControlLayout {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t pid;
  std::uint64_t size;
  std::uint64_t config_hash;
  Member self;
  std::uint32_t witness;
  std::uint32_t obituary_bytes;
  std::byte obituary[kObituaryBytesMax];

  AttemptMemory attempt;  // Control plane.
  ControlRing commands;   // Control plane to worker.
  ControlRing events;     // Worker to control plane.
};

static_assert(std::is_standard_layout_v<ControlLayout>);
static_assert(offsetof(ControlLayout, self) == 32 && offsetof(ControlLayout, attempt) == 576);
static_assert(sizeof(ControlRing) == kControlRingBytes + 128);

}  // namespace phalanx::shm
