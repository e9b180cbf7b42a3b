#include "transport/udp/receiver.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::transport::udp {
namespace {

std::uint32_t u32_of(const cmsghdr* control) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

}  // namespace

Receiver::Receiver(const Address& self, std::uint32_t frame_bytes_max)
    : self_(self), frame_bytes_max_(frame_bytes_max), memory_(new std::byte[kBuffers * kStride]) {
  for (std::size_t i = 0; i < kBuffers; ++i) {
    buffers_[i].data = memory_.get() + i * kStride;
    give_back(&buffers_[i]);
  }
  for (std::size_t i = 0; i < kMessages; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = sources_[i].get();
    header.msg_iov = &iovecs_[i];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[i];
    arm(i);
  }
}

std::size_t Receiver::burst(std::span<RxFrame> out) noexcept {
  std::size_t count = 0;
  bool more = true;
  while (count < out.size()) {
    if (lend(out[count])) {
      ++count;
    } else if (more) {
      const bool unicast_full = receive(0);
      const bool multicast_full = fds_[1] >= 0 && receive(1);
      more = unicast_full || multicast_full;
      if (ready_count_ == 0) break;
    } else {
      break;
    }
  }
  counters_.rx_frames += count;
  return count;
}

void Receiver::release(std::span<const RxFrame> frames) noexcept {
  for (const RxFrame& frame : frames) {
    auto* buffer = static_cast<Buffer*>(frame.cookie);
    PHX_CHECK(buffer->lent > 0);
    if (--buffer->lent == 0 && buffer->next >= buffer->length) give_back(buffer);
  }
}

void Receiver::add_to(TransportCounters& counters) const noexcept {
  counters.rx_frames = counters_.rx_frames;
  counters.rx_bytes = counters_.rx_bytes;
  counters.rx_refused = counters_.rx_refused;
  counters.rx_overflow = std::uint64_t{overflow_[0]} + overflow_[1];
}

/// Returns whether the socket may hold more than it gave.
bool Receiver::receive(std::size_t which) noexcept {
  // The last message headers go unused while their buffers are out: the reader is far behind.
  std::size_t room = 0;
  for (; room < kMessages; ++room) {
    if (armed_[room] == nullptr) {
      if (free_count_ == 0) break;
      arm(room);
    }
  }
  if (room == 0) return false;
  const int got = recvmmsg(fds_[which], messages_.data(), static_cast<unsigned int>(room),
                           MSG_DONTWAIT, nullptr);
  if (got <= 0) return false;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    take(i, messages_[i].msg_len, overflow_[which]);
  }
  return static_cast<std::size_t>(got) == room;
}

void Receiver::arm(std::size_t message) noexcept {
  Buffer* buffer = free_[--free_count_];
  armed_[message] = buffer;
  iovecs_[message] = {.iov_base = buffer->data, .iov_len = kDatagramBytes};
  msghdr& header = messages_[message].msg_hdr;
  header.msg_namelen = Address::kLengthMax;
  header.msg_controllen = sizeof(Control);
}

/// Queues what a message header received, or takes the buffer back.
void Receiver::take(std::size_t message, std::uint32_t length, std::uint32_t& overflow) noexcept {
  Buffer* buffer = armed_[message];
  armed_[message] = nullptr;
  msghdr& header = messages_[message].msg_hdr;
  std::uint32_t segment = length;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) segment = u32_of(c);
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) overflow = u32_of(c);
  }
  // Frames of ours come back from a multicast group; what is too long was never sent by a peer.
  if (length == 0 || segment == 0 || segment > frame_bytes_max_ ||
      (header.msg_flags & MSG_TRUNC) != 0 || sources_[message] == self_) [[unlikely]] {
    ++counters_.rx_refused;
    give_back(buffer);
    return;
  }
  counters_.rx_bytes += length;
  buffer->length = length;
  buffer->segment = segment;
  buffer->next = 0;
  ready_[(ready_first_ + ready_count_++) % kBuffers] = buffer;
}

bool Receiver::lend(RxFrame& out) noexcept {
  if (ready_count_ == 0) return false;
  Buffer* buffer = ready_[ready_first_];
  const std::uint32_t bytes = std::min(buffer->segment, buffer->length - buffer->next);
  out = {.bytes = {buffer->data + buffer->next, bytes}, .cookie = buffer};
  buffer->next += bytes;
  ++buffer->lent;
  if (buffer->next >= buffer->length) {
    ready_first_ = (ready_first_ + 1) % kBuffers;
    --ready_count_;
  }
  return true;
}

}  // namespace phalanx::transport::udp
