#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transport/transport.h"
#include "transport/verbs/gid.h"
#include "transport/verbs/peers.h"
#include "transport/verbs/queue_pair.h"
#include "transport/verbs/region.h"
#include "transport/verbs/trouble.h"

namespace phalanx::transport::verbs {

/// The receive half of a queue pair and its buffers, `stride` bytes each from `memory` on. One
/// thread. Says by is_broken() that the queue pair needs to be reset; post_all() forgives it.
class ReceiveQueue {
 public:
  static constexpr std::size_t kBurst = 32;
  /// What poll() drops at most, beyond what it was asked for: own copies may come as fast as they
  /// are dropped.
  static constexpr std::size_t kDroppedMost = 4 * kBurst;

  /// Packets of the device's own GID from this queue pair are copies of what it sent itself.
  ReceiveQueue(QueuePair& pair, const Device& device, const Buffers& buffers, Trouble& trouble);

  /// Every slot but those that are lent, into a queue that holds none.
  void post_all() noexcept;
  std::size_t poll(std::span<RxFrame> out, TransportCounters& counters) noexcept;
  void release(std::span<const RxFrame> frames) noexcept;
  /// Whether a frame waits, without giving it out; it is the next poll()'s first.
  [[nodiscard]] bool look_ahead() noexcept;

  [[nodiscard]] const Source& source_of(const RxFrame& frame) const noexcept {
    return sources_[slot_of(frame)];
  }
  [[nodiscard]] bool is_broken() const noexcept { return broken_; }

 private:
  static std::uint32_t slot_of(const RxFrame& frame) noexcept {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(frame.cookie));
  }
  [[nodiscard]] std::byte* at(std::uint32_t slot) const noexcept {
    return buffers_.memory + slot * buffers_.stride;
  }
  int take(std::span<ibv_wc> out) noexcept;
  bool accept(const ibv_wc& done, RxFrame& out, TransportCounters& counters) noexcept;
  void post(std::span<const std::uint32_t> slots) noexcept;
  void post_again() noexcept;
  void break_by(const char* what, int error) noexcept;

  QueuePair& pair_;
  ibv_gid own_;
  bool ipv4_;               ///< The header before a payload is IPv4's.
  std::uint16_t lid_mask_;  ///< Packets say from which LID they come on InfiniBand only.
  Buffers buffers_;
  Trouble& trouble_;
  std::vector<Source> sources_;          ///< By slot.
  std::vector<std::uint8_t> lent_;       ///< By slot: the worker has it.
  std::vector<std::uint32_t> unposted_;  ///< The device had no room for them.
  std::optional<ibv_wc> ahead_;
  bool broken_ = false;
};

}  // namespace phalanx::transport::verbs
