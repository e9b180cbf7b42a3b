#include "transport/shm/introduction.h"

#include <array>
#include <utility>

#include "ipc/shm/descriptor_socket.h"

namespace phalanx::transport::shm {

const char* why_not(const Introduction& own, const Introduction& said) noexcept {
  if (said.magic != Introduction::kMagic || said.version != Introduction::kVersion ||
      said.ring_frames != own.ring_frames) {
    return "a process at the sockets of this host's nodes is of another version";
  }
  if (said.frame_bytes != own.frame_bytes) {
    return "a node of this host has another transport.mtu";
  }
  if (said.slots == 0 || said.slots > Introduction::kSlotsMax) {
    return "a node of this host says that it has no frames, or more than there can be";
  }
  return nullptr;
}

bool introduce(int socket, const Introduction& own, int frames, int page) noexcept {
  const std::array<int, 2> fds{frames, page};
  return phalanx::shm::send_with_descriptors(socket, &own, sizeof own, fds.data(), fds.size());
}

std::optional<Introduced> hear(int socket) noexcept {
  struct {
    Introduction said;
    std::byte more{};  // Whoever says more is of another version.
  } message;
  std::array<int, 3> fds{-1, -1, -1};  // One more than there may be.
  std::size_t count = 0;
  const ssize_t got = phalanx::shm::receive_with_descriptors(socket, &message, sizeof message,
                                                             fds.data(), fds.size(), count);
  Introduced out{.said = message.said, .frames = Fd(fds[0]), .page = Fd(fds[1])};
  const Fd beyond(fds[2]);
  if (got != sizeof(Introduction) || count != 2) return std::nullopt;
  return out;
}

}  // namespace phalanx::transport::shm
