#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "transport/transport.h"

namespace phalanx::bench {

/// Wires of nodes in one thread that cost as good as nothing: a frame is passed on as a pointer, a
/// multicast as one pointer a member. What is left is the worker's own work.
class MemoryWire final : public transport::Transport {
 public:
  /// One for each of `nodes`, whose ids are 1, 2, ...; frames of `frame_bytes` at most.
  static std::vector<std::unique_ptr<Transport>> make(std::size_t nodes, std::uint32_t frame_bytes);

  /// From now on keeps a copy of each frame that this node sends, `most` of them.
  void keep_sent(std::size_t most) { kept_most_ = most; }
  [[nodiscard]] const std::vector<std::vector<std::byte>>& kept() const noexcept { return kept_; }
  /// Puts bytes of anybody's before this node, as if they had come from the wire. False: its ring
  /// is full.
  bool inject(std::span<const std::byte> bytes) noexcept;

  std::size_t rx_burst(std::span<transport::RxFrame> out) noexcept override;
  void rx_release(std::span<const transport::RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<transport::TxFrame> out) noexcept override;
  void tx_burst(std::span<const transport::TxFrame> frames) noexcept override;
  void set_members(std::span<const NodeId>) noexcept override {}
  [[nodiscard]] int wait_fd() const noexcept override { return -1; }
  [[nodiscard]] const transport::TransportLimits& limits() const noexcept override {
    return limits_;
  }
  /// A frame to all counts once, as on a wire that copies it.
  [[nodiscard]] transport::TransportCounters counters() const noexcept override {
    return counters_;
  }

 private:
  struct Frame {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t length = 0;
    std::size_t readers = 0;  ///< That have not given it back.
  };
  struct Shared {
    std::vector<std::unique_ptr<Frame>> frames;
    std::vector<Frame*> free;
    std::vector<MemoryWire*> nodes;
  };
  static constexpr std::size_t kFrames = 16384;
  static constexpr std::size_t kRing = 4096;

  MemoryWire(std::shared_ptr<Shared> shared, NodeId self, std::uint32_t frame_bytes);

  std::shared_ptr<Shared> shared_;
  NodeId self_;
  transport::TransportLimits limits_;
  transport::TransportCounters counters_;
  std::vector<Frame*> ring_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::vector<Frame*> lent_;
  std::size_t kept_most_ = 0;
  std::vector<std::vector<std::byte>> kept_;
};

}  // namespace phalanx::bench
