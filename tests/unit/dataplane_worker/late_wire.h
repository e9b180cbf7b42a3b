#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "transport/transport.h"

namespace phalanx::worker::testing {

class LateEnd;

/// A wire whose adapters read what they gather when a frame leaves, which may be long after it was
/// posted. What leaves has arrived. An adapter sends in the order in which it was given; this one
/// may set frames aside as well, which is harder on those who lend it memory.
class LateWire {
 public:
  explicit LateWire(std::size_t nodes, std::uint32_t seed = 1);
  ~LateWire();

  [[nodiscard]] std::vector<transport::Transport*> ends();
  /// What was set aside leaves.
  void let_go();

  std::size_t frames_a_turn = 64;  ///< That an adapter sends in a turn of its node's.
  int stall_percent = 0;           ///< Of the turns it sends nothing.
  int aside_percent = 0;           ///< Of the frames that it gathers are set aside.
  NodeId aside_for = 0;            ///< All frames for this node are.

  std::size_t gathered = 0;  ///< Frames posted.
  std::size_t changed = 0;   ///< Of these, that left with other bytes than they were posted with.

 private:
  friend class LateEnd;
  struct Posted {
    NodeId to = 0;
    std::vector<std::byte> bytes;
    std::size_t gathered_at = 0;
    std::span<const std::byte> gathered;
    std::vector<std::byte> as_posted;
  };
  void turn(std::deque<Posted>& queue);
  void send(Posted& frame);
  [[nodiscard]] bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

  std::vector<std::unique_ptr<LateEnd>> ends_;
  std::deque<Posted> aside_;
  std::mt19937 random_;
};

/// One node's end.
class LateEnd final : public transport::Transport {
 public:
  LateEnd(LateWire& wire, NodeId self)
      : wire_(wire), self_(self), buffers_(64, std::vector<std::byte>(1500)) {}

  std::size_t rx_burst(std::span<transport::RxFrame> out) noexcept override;
  void rx_release(std::span<const transport::RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<transport::TxFrame> out) noexcept override;
  void tx_burst(std::span<const transport::TxFrame> frames) noexcept override;
  Expected<bool, Error> lend_memory(std::span<const std::span<const std::byte>> memory) override;
  void set_members(std::span<const NodeId> members) noexcept override {
    members_.assign(members.begin(), members.end());
  }
  [[nodiscard]] int wait_fd() const noexcept override { return -1; }
  [[nodiscard]] const transport::TransportLimits& limits() const noexcept override {
    return limits_;
  }

 private:
  friend class LateWire;
  [[nodiscard]] bool is_lent(std::span<const std::byte> bytes) const noexcept;

  LateWire& wire_;
  NodeId self_;
  std::vector<NodeId> members_;
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<std::span<const std::byte>> lent_;
  std::deque<LateWire::Posted> posted_;
  std::deque<std::vector<std::byte>> inbox_;
  transport::TransportLimits limits_{
      .frame_bytes_max = 1472, .burst_frames_max = 64, .rx_ring_frames = 4096};
};

}  // namespace phalanx::worker::testing
