#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "ipc/client/sam/state.h"

namespace phalanx::client::sam {

Sam& sam() noexcept {
  static constinit Sam the_one;
  return the_one;
}

bool is_registered() noexcept {
  const State state = sam().state.load();
  return (state == State::Registered || state == State::Started) && sam().pid.load() == getpid();
}

bool is_initialized() noexcept {
  return is_registered() || (sam().state.load() == State::Initialized && sam().pid == getpid());
}

phx_status tell(Kind kind, std::uint32_t value, const void* data, std::size_t bytes) noexcept {
  Message message{.kind = kind, .value = value};
  iovec parts[2] = {{.iov_base = &message, .iov_len = sizeof message},
                    {.iov_base = const_cast<void*>(data), .iov_len = bytes}};
  msghdr header{};
  header.msg_iov = parts;
  header.msg_iovlen = bytes > 0 ? 2 : 1;
  const int before = errno;  // For the signal handler that called.
  ssize_t sent = 0;
  do {
    sent = sendmsg(sam().socket.load(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  const int error = errno;
  errno = before;
  if (sent >= 0) return PHX_OK;
  const bool gone = error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == EBADF;
  return gone ? PHX_DISCONNECTED : PHX_TRY_AGAIN;
}

phx_status wait_for_go(std::uint32_t number) noexcept {
  const int socket = sam().socket.load();
  for (;;) {
    pollfd answer{.fd = socket, .events = POLLIN, .revents = 0};
    if (poll(&answer, 1, -1) < 0) return PHX_TRY_AGAIN;  // A signal was handled.
    Message message{};
    const ssize_t bytes = recv(socket, &message, sizeof message, MSG_DONTWAIT);
    if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR)) return PHX_DISCONNECTED;
    // An older number is of a start that was given up.
    const bool is_go = bytes == static_cast<ssize_t>(sizeof message) && message.kind == Kind::Go;
    if (is_go && message.value == number) return PHX_OK;
  }
}

}  // namespace phalanx::client::sam
