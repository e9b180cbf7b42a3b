#pragma once

#include <cstdint>
#include <memory>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/shm/event_producer.h"
#include "ipc/shm/mirrored_ring.h"

namespace phalanx::shm {

/// The first page of a shared log's memory; the ring of events follows. Written by the worker,
/// which alone can: its clients map it read-only.
struct DeliveryLogPage {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t struct_bytes;
  std::uint64_t ring_bytes;
  RingIndex tail;
};
static_assert(sizeof(DeliveryLogPage) == 128);

inline constexpr std::uint64_t kDeliveryLogMagic = 0x31676f6c79786870;  ///< "phxylog1".
inline constexpr std::uint32_t kDeliveryLogVersion = 1;
inline constexpr std::uint64_t kDeliveryLogPageBytes = 4096;
inline constexpr std::uint64_t kDeliveryLogBytesMax = 1u << 30;

/// Events that are written once, however many clients of this host read them: memory of the
/// worker's that clients which may read everything map, and nobody else can write. The worker looks
/// how far the readers are when it comes to the end of what is free, and lets it be written over
/// with let_go(), once whoever has not read that far was told that it is out. Made by a cold
/// thread, then the worker's.
class DeliveryLog {
 public:
  /// `bytes` is raised to a power of two. Its pages are taken here.
  [[nodiscard]] static Expected<std::unique_ptr<DeliveryLog>, Error> create(std::uint64_t bytes);

  /// To be passed to clients: can neither be written through nor made so.
  [[nodiscard]] int fd() const noexcept { return read_only_.get(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return ring_.bytes(); }

  [[nodiscard]] EventProducer& events() noexcept { return events_; }
  /// Everything that was committed is shown.
  [[nodiscard]] std::uint64_t tail() const noexcept { return events_.committed_in_ring(); }
  /// What lies before `position` may be written over: at most tail(), as published.
  void let_go(std::uint64_t position) noexcept { free_to_.position = position; }

 private:
  DeliveryLog() = default;

  Fd memory_, read_only_;
  MirroredRing page_memory_, ring_;
  DeliveryLogPage* page_ = nullptr;
  RingIndex free_to_;  ///< What the producer takes for its consumer's position.
  EventProducer events_;
};

}  // namespace phalanx::shm
