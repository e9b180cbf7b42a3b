#include "ipc/shm/descriptor_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace phalanx::shm {
namespace {

constexpr std::size_t kMost = kDescriptorsOfPacketMax;

}  // namespace

bool send_with_descriptors(int socket, const void* data, std::size_t bytes, const int* fds,
                           std::size_t count) noexcept {
  iovec part{.iov_base = const_cast<void*>(data), .iov_len = bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > kMost) {
    errno = EINVAL;
    return false;
  }
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  const ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0 && static_cast<std::size_t>(sent) != bytes) errno = EMSGSIZE;
  return sent == static_cast<ssize_t>(bytes);
}

ssize_t receive_with_descriptors(int socket, void* data, std::size_t bytes, int* fds,
                                 std::size_t most, std::size_t& count) noexcept {
  count = 0;
  if (most == 0 || most > kMost) {
    errno = EINVAL;
    return -1;
  }
  iovec part{data, bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(most * sizeof(int));
  const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  for (cmsghdr* c = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr; c != nullptr;
       c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < came; ++i, ++count) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (count < most) {
        fds[count] = fd;
      } else {
        close(fd);
      }
    }
  }
  return got;
}

}  // namespace phalanx::shm
