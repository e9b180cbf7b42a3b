#include "transport/udp/sender.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace phalanx::transport::udp {

void Sender::open(int fd, bool segmentation) noexcept {
  fd_ = fd;
  segmentation_ = segmentation;
}

void Sender::add(const Address& to, std::span<const std::byte> frame) noexcept {
  if (!joins(to, frame.size())) {
    if (message_count_ == kMessages || piece_count_ == kPieces) flush();
    plan_[message_count_] = {.to = &to, .segment = static_cast<std::uint32_t>(frame.size())};
    messages_[message_count_].msg_hdr.msg_iov = &pieces_[piece_count_];
    messages_[message_count_].msg_hdr.msg_iovlen = 0;
    ++message_count_;
  }
  Message& message = plan_[message_count_ - 1];
  add_piece(frame);
  ++message.frames;
  message.bytes += static_cast<std::uint32_t>(frame.size());
  message.closed = frame.size() < message.segment;
}

bool Sender::joins(const Address& to, std::size_t bytes) const noexcept {
  if (!segmentation_ || message_count_ == 0 || piece_count_ == kPieces) return false;
  const Message& message = plan_[message_count_ - 1];
  return message.to == &to && !message.closed && bytes <= message.segment &&
         message.frames < kSegmentsMax && message.bytes + bytes <= kMessageBytesMax;
}

/// Full frames lie back to back in the transmit buffers, so they are one piece.
void Sender::add_piece(std::span<const std::byte> frame) noexcept {
  msghdr& header = messages_[message_count_ - 1].msg_hdr;
  auto* bytes = const_cast<std::byte*>(frame.data());  // The kernel only reads.
  if (header.msg_iovlen > 0) {
    iovec& last = pieces_[piece_count_ - 1];
    if (static_cast<std::byte*>(last.iov_base) + last.iov_len == bytes) {
      last.iov_len += frame.size();
      return;
    }
  }
  pieces_[piece_count_++] = {.iov_base = bytes, .iov_len = frame.size()};
  ++header.msg_iovlen;
}

void Sender::flush() noexcept {
  for (std::size_t i = 0; i < message_count_; ++i) describe(i);
  std::size_t sent = 0;
  while (sent < message_count_) {
    const int got =
        sendmmsg(fd_, &messages_[sent], static_cast<unsigned int>(message_count_ - sent),
                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got <= 0) [[unlikely]] {
      if (got < 0 && errno == EINTR) continue;
      refuse(sent++, got < 0 ? errno : EIO);
      continue;
    }
    for (const std::size_t end = sent + static_cast<std::size_t>(got); sent < end; ++sent) {
      counters_.tx_frames += plan_[sent].frames;
      counters_.tx_bytes += plan_[sent].bytes;
    }
  }
  message_count_ = 0;
  piece_count_ = 0;
}

void Sender::describe(std::size_t message) noexcept {
  msghdr& header = messages_[message].msg_hdr;
  const Message& plan = plan_[message];
  header.msg_name = const_cast<sockaddr*>(plan.to->get());
  header.msg_namelen = plan.to->length();
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  if (plan.frames < 2) return;
  header.msg_control = &controls_[message];
  header.msg_controllen = sizeof(Control);
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto segment = static_cast<std::uint16_t>(plan.segment);
  std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
}

/// A device may not take segmented messages although the socket does: then, and from then on, each
/// frame is sent by itself. Everything else is loss, which the protocol repairs.
void Sender::refuse(std::size_t message, int error) noexcept {
  if (plan_[message].frames > 1 && (error == EIO || error == EINVAL || error == EOPNOTSUPP)) {
    segmentation_ = false;
    send_one_by_one(message);
    return;
  }
  counters_.tx_refused += plan_[message].frames;
}

void Sender::send_one_by_one(std::size_t message) noexcept {
  const Message& plan = plan_[message];
  const msghdr& header = messages_[message].msg_hdr;
  for (std::size_t piece = 0; piece < header.msg_iovlen; ++piece) {
    const auto* at = static_cast<const std::byte*>(header.msg_iov[piece].iov_base);
    // Frames never straddle pieces: a piece is one frame, or several back to back.
    for (std::size_t in_piece = header.msg_iov[piece].iov_len; in_piece > 0;) {
      const std::size_t bytes = std::min<std::size_t>(plan.segment, in_piece);
      if (sendto(fd_, at, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, plan.to->get(), plan.to->length()) <
          0) {
        ++counters_.tx_refused;
      } else {
        ++counters_.tx_frames;
        counters_.tx_bytes += bytes;
      }
      at += bytes;
      in_piece -= bytes;
    }
  }
}

void Sender::add_to(TransportCounters& counters) const noexcept {
  counters.tx_frames = counters_.tx_frames;
  counters.tx_bytes = counters_.tx_bytes;
  counters.tx_refused = counters_.tx_refused;
}

}  // namespace phalanx::transport::udp
