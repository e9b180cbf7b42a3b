#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "config/config.h"

namespace phalanx::controlplane {

/// An endpoint in the form that the kernel takes.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

/// Same family, host and port.
[[nodiscard]] bool same_endpoint(const SocketAddress& a, const SocketAddress& b) noexcept;

[[nodiscard]] SocketAddress to_socket_address(const config::Endpoint& endpoint) noexcept;

}  // namespace phalanx::controlplane
