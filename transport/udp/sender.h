#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "transport/transport.h"
#include "transport/udp/address.h"

namespace phalanx::transport::udp {

/// Sends runs of frames to one address each. Frames of one size in a row, the last of them maybe
/// shorter, leave as one GSO message, which the kernel cuts up. One thread.
class Sender {
 public:
  void open(int fd, bool segmentation) noexcept;

  /// Adds one frame for `to`. Frames for one address come in a row; both are borrowed until
  /// flush().
  void add(const Address& to, std::span<const std::byte> frame) noexcept;
  /// Sends all that was added. What the kernel does not take is counted.
  void flush() noexcept;
  void add_to(TransportCounters& counters) const noexcept;

  [[nodiscard]] bool segments() const noexcept { return segmentation_; }

 private:
  static constexpr std::size_t kMessages = 128;
  static constexpr std::size_t kPieces = 1024;
  static constexpr std::size_t kSegmentsMax = 64;  ///< The kernel's own bound.
  static constexpr std::size_t kMessageBytesMax = 65000;

  struct Message {
    const Address* to = nullptr;
    std::uint32_t segment = 0;  ///< Bytes of each frame but the last.
    std::uint32_t frames = 0;
    std::uint32_t bytes = 0;
    bool closed = false;  ///< Its last frame was shorter.
  };
  struct alignas(cmsghdr) Control {
    std::byte bytes[CMSG_SPACE(sizeof(std::uint16_t))];
  };

  [[nodiscard]] bool joins(const Address& to, std::size_t bytes) const noexcept;
  void add_piece(std::span<const std::byte> frame) noexcept;
  void describe(std::size_t message) noexcept;
  void refuse(std::size_t message, int error) noexcept;
  void send_one_by_one(std::size_t message) noexcept;

  int fd_ = -1;
  bool segmentation_ = false;
  std::size_t message_count_ = 0;
  std::size_t piece_count_ = 0;
  std::array<Message, kMessages> plan_{};
  std::array<mmsghdr, kMessages> messages_{};
  std::array<iovec, kPieces> pieces_{};
  std::array<Control, kMessages> controls_{};
  TransportCounters counters_;
};

}  // namespace phalanx::transport::udp
