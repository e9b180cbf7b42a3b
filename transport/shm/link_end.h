#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "transport/shm/layout.h"

namespace phalanx::transport::shm {

/// What the worker does with one end of a link: puts descriptors of its frames into its ring, and
/// takes those of the other end. Owns nothing: both pages and the peer's frames are mapped until
/// close(). All of the peer's words are read once and checked; one that no peer of ours would write
/// makes the link `broken()`. One thread.
class LinkEnd {
 public:
  /// The frames of a peer: slots of `stride` bytes, of which a frame has up to `frame_bytes`.
  struct Frames {
    const std::byte* base = nullptr;
    std::uint32_t slots = 0;
    std::uint32_t stride = 0;
    std::uint32_t frame_bytes = 0;
  };

  /// Both pages are fresh.
  void open(LinkPage& own, const LinkPage& peers, const Frames& frames) noexcept {
    *this = {};
    own_ = &own;
    peers_ = &peers;
    frames_ = frames;
  }
  /// Calls drop(slot) for each frame that the peer has not given back.
  template <typename Drop>
  void close(Drop drop) noexcept {
    for (; own_ != nullptr && returned_ != sent_; ++returned_) drop(slot_of(returned_));
    *this = {};
  }
  [[nodiscard]] bool is_open() const noexcept { return own_ != nullptr; }
  [[nodiscard]] bool broken() const noexcept { return broken_; }

  /// @return Whether the ring had room.
  [[nodiscard]] bool put(const Descriptor& frame) noexcept {
    if (sent_ - returned_ >= kRingFrames || broken_) return false;
    own_->ring[sent_ % kRingFrames].store(frame.word(), std::memory_order_relaxed);
    ++sent_;
    return true;
  }
  /// Shows the peer what was put. @return Whether there was anything.
  bool publish() noexcept {
    if (published_ == sent_) return false;
    published_ = sent_;
    own_->sent.store(sent_, std::memory_order_release);
    return true;
  }
  /// Calls drop(slot) for each frame that the peer gave back since.
  template <typename Drop>
  void reclaim(Drop drop) noexcept {
    const std::uint64_t taken = peers_->taken.load(std::memory_order_acquire);
    if (taken == returned_) return;
    if (taken - returned_ > published_ - returned_) [[unlikely]] {
      broken_ = true;
      return;
    }
    for (; returned_ != taken; ++returned_) drop(slot_of(returned_));
  }

  /// Calls take(bytes) for up to `most` frames, which stay there until as many were given back.
  /// @return How many it called it for.
  template <typename Take>
  std::size_t receive(std::size_t most, Take take) noexcept {
    const std::uint64_t sent = peers_->sent.load(std::memory_order_acquire);
    const std::uint64_t waiting = sent - received_;
    if (waiting == 0 || broken_) return 0;
    if (waiting > kRingFrames) [[unlikely]] {
      broken_ = true;
      return 0;
    }
    const std::size_t count = waiting < most ? static_cast<std::size_t>(waiting) : most;
    for (std::size_t i = 0; i < count; ++i) {
      const Descriptor frame = Descriptor::of(
          peers_->ring[(received_ + i) % kRingFrames].load(std::memory_order_relaxed));
      if (frame.slot >= frames_.slots || frame.length == 0 || frame.length > frames_.frame_bytes)
          [[unlikely]] {
        broken_ = true;
        received_ += i;
        lent_ += i;
        return i;
      }
      take(std::span(frames_.base + std::size_t{frame.slot} * frames_.stride, frame.length));
    }
    received_ += count;
    lent_ += count;
    return count;
  }
  /// Frames come back in any order, so the peer is told when none is lent any more.
  void give_back(std::size_t count) noexcept {
    lent_ -= count;
    if (lent_ == 0) own_->taken.store(received_, std::memory_order_release);
  }
  [[nodiscard]] std::size_t lent() const noexcept { return lent_; }
  [[nodiscard]] bool has_frames() const noexcept {
    return peers_->sent.load(std::memory_order_acquire) != received_;
  }

 private:
  /// From our own page, which nobody else can write.
  [[nodiscard]] std::uint32_t slot_of(std::uint64_t number) const noexcept {
    return Descriptor::of(own_->ring[number % kRingFrames].load(std::memory_order_relaxed)).slot;
  }

  LinkPage* own_ = nullptr;
  const LinkPage* peers_ = nullptr;
  std::uint64_t sent_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t returned_ = 0;  ///< Of sent_, given back by the peer.
  std::uint64_t received_ = 0;
  std::size_t lent_ = 0;  ///< Of received_, not given back yet.
  bool broken_ = false;
  Frames frames_;
};

}  // namespace phalanx::transport::shm
