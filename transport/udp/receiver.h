#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "transport/transport.h"
#include "transport/udp/address.h"

namespace phalanx::transport::udp {

/// Takes datagrams off sockets into buffers made at start, and lends them out frame by frame. With
/// GRO a buffer holds many frames of one sender, back to back. One thread.
class Receiver {
 public:
  Receiver(const Address& self, std::uint32_t frame_bytes_max);

  void set_self(const Address& self) noexcept { self_ = self; }
  /// `multicast_fd` may be -1.
  void open(int unicast_fd, int multicast_fd) noexcept { fds_ = {unicast_fd, multicast_fd}; }

  std::size_t burst(std::span<RxFrame> out) noexcept;
  void release(std::span<const RxFrame> frames) noexcept;
  void add_to(TransportCounters& counters) const noexcept;

 private:
  static constexpr std::size_t kBuffers = 64;
  static constexpr std::size_t kMessages = 32;  ///< Taken by one system call.
  static constexpr std::size_t kDatagramBytes = 65536;
  /// Not a multiple of a page: the first bytes of all buffers would share a few cache lines.
  static constexpr std::size_t kStride = kDatagramBytes + 2112;

  struct Buffer {
    std::byte* data = nullptr;
    std::uint32_t lent = 0;     ///< Frames that are out.
    std::uint32_t length = 0;   ///< Bytes received.
    std::uint32_t segment = 0;  ///< Bytes of each frame but the last.
    std::uint32_t next = 0;     ///< Where the next frame to lend begins.
  };
  struct alignas(cmsghdr) Control {
    std::byte bytes[2 * CMSG_SPACE(sizeof(std::uint32_t))];
  };

  bool receive(std::size_t which) noexcept;
  void arm(std::size_t message) noexcept;
  void take(std::size_t message, std::uint32_t length, std::uint32_t& overflow) noexcept;
  bool lend(RxFrame& out) noexcept;
  void give_back(Buffer* buffer) noexcept { free_[free_count_++] = buffer; }

  Address self_;
  std::uint32_t frame_bytes_max_;
  std::array<int, 2> fds_{-1, -1};
  std::array<std::uint32_t, 2> overflow_{};  ///< What the kernel counts for each socket.
  std::unique_ptr<std::byte[]> memory_;
  std::array<Buffer, kBuffers> buffers_{};
  std::array<Buffer*, kBuffers> free_{};  ///< A stack: the warmest buffer goes first.
  std::size_t free_count_ = 0;
  std::array<Buffer*, kBuffers> ready_{};  ///< A ring: received, with frames not lent yet.
  std::size_t ready_first_ = 0;
  std::size_t ready_count_ = 0;

  std::array<Buffer*, kMessages> armed_{};  ///< The buffer behind each message header.
  std::array<mmsghdr, kMessages> messages_{};
  std::array<iovec, kMessages> iovecs_{};
  std::array<Address, kMessages> sources_{};
  std::array<Control, kMessages> controls_{};

  TransportCounters counters_;
};

}  // namespace phalanx::transport::udp
