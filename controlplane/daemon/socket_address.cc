#include "controlplane/daemon/socket_address.h"

#include <arpa/inet.h>

#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::controlplane {

SocketAddress to_socket_address(const config::Endpoint& endpoint) noexcept {
  SocketAddress address;
  if (endpoint.is_ipv6) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    PHX_CHECK(inet_pton(AF_INET6, endpoint.host.c_str(), &in6.sin6_addr) ==
              1);  // The loader's word.
    std::memcpy(&address.storage, &in6, sizeof in6);
    address.length = sizeof in6;
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    PHX_CHECK(inet_pton(AF_INET, endpoint.host.c_str(), &in.sin_addr) == 1);
    std::memcpy(&address.storage, &in, sizeof in);
    address.length = sizeof in;
  }
  return address;
}

}  // namespace phalanx::controlplane
