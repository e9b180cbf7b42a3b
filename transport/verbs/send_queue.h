#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "transport/transport.h"
#include "transport/verbs/lent_memory.h"
#include "transport/verbs/peers.h"
#include "transport/verbs/queue_pair.h"
#include "transport/verbs/region.h"
#include "transport/verbs/trouble.h"

namespace phalanx::transport::verbs {

/// The send half of a queue pair and its buffers, `stride` bytes each from `memory` on. One thread.
/// Says by is_broken() that the queue pair needs to be reset; forget() forgives it.
class SendQueue {
 public:
  static constexpr std::size_t kBurst = 32;
  /// Of a frame that is gathered: what lies before, in and after the memory that was lent.
  static constexpr std::uint32_t kPieces = 3;

  /// Without a group, `copies` is to how many peers one frame goes at most; else 1. `ring`: sends
  /// that the queue pair takes.
  SendQueue(QueuePair& pair, std::uint32_t qkey, const Buffers& buffers, LentMemory& lent,
            std::uint32_t copies, std::uint32_t ring, Trouble& trouble);

  std::size_t lend(std::span<TxFrame> out, TransportCounters& counters) noexcept;
  /// `open`: what is sent has a chance to leave; else all is dropped and counted.
  void send(std::span<const TxFrame> frames, const Peers& peers, bool open,
            TransportCounters& counters) noexcept;
  /// The queue holds nothing any more: all that was sent has left, or never will.
  void forget() noexcept;

  [[nodiscard]] bool is_broken() const noexcept { return broken_; }
  [[nodiscard]] std::uint64_t posted() const noexcept { return posted_; }
  [[nodiscard]] std::uint64_t completed() const noexcept { return completed_; }
  /// Of the sends, those that the adapter gathered.
  [[nodiscard]] std::uint64_t gathered() const noexcept { return gathered_; }

 private:
  struct Batch {
    std::array<ibv_send_wr, kBurst> requests;
    std::array<ibv_sge, kBurst> pieces;  ///< Each a frame as if it was all in its buffer.
    std::array<std::array<ibv_sge, kPieces>, kBurst> gathers;
    std::size_t count = 0;
    std::size_t bytes = 0;
  };
  void reclaim(TransportCounters& counters) noexcept;
  [[nodiscard]] std::size_t post(ibv_send_wr* first, std::size_t count) noexcept;
  void add(Batch& batch, std::uint32_t slot, const TxFrame& frame, ibv_ah* handle,
           std::uint32_t queue_pair) noexcept;
  void gather(const ibv_sge& whole, const TxFrame& frame, std::array<ibv_sge, kPieces>& out,
              ibv_send_wr& request) noexcept;
  std::size_t add_copies(Batch& batch, std::uint32_t slot, const TxFrame& frame, const Peers& peers,
                         TransportCounters& counters) noexcept;
  void flush(Batch& batch, TransportCounters& counters) noexcept;
  [[nodiscard]] std::uint32_t& slot_after(std::uint64_t number) noexcept {
    return sent_[number & mask_];
  }
  void give_back(std::size_t taken, std::size_t count) noexcept;

  QueuePair& pair_;
  std::uint32_t qkey_;
  Buffers buffers_;
  LentMemory& lent_;
  Trouble& trouble_;
  std::vector<std::uint32_t> free_;  ///< Slots; those last are lent first.
  std::uint32_t copies_;
  std::uint32_t ring_;  ///< Sends that may be on their way.
  /// By number of the send, in as many as a power of two: the slot that is free after it, or
  /// kShared when more copies of the same frame follow.
  std::vector<std::uint32_t> sent_;
  std::uint64_t mask_;
  std::uint64_t posted_ = 0;     ///< Sends ever.
  std::uint64_t completed_ = 0;  ///< Of these, those whose slot is free again.
  std::uint64_t reported_ = 0;   ///< Sends that the device is done with.
  std::uint64_t gathered_ = 0;
  std::uint32_t refusals_ = 0;  ///< Posts in a row for which there was no room.
  bool broken_ = false;
};

}  // namespace phalanx::transport::verbs
