#include "controlplane/daemon/socket_address.h"

#include <arpa/inet.h>

#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::controlplane {

bool same_endpoint(const SocketAddress& a, const SocketAddress& b) noexcept {
  if (a.storage.ss_family != b.storage.ss_family) return false;
  if (a.storage.ss_family == AF_INET6) {
    sockaddr_in6 left{};
    sockaddr_in6 right{};
    std::memcpy(&left, &a.storage, sizeof left);
    std::memcpy(&right, &b.storage, sizeof right);
    return left.sin6_port == right.sin6_port &&
           IN6_ARE_ADDR_EQUAL(&left.sin6_addr, &right.sin6_addr);
  }
  sockaddr_in left{};
  sockaddr_in right{};
  std::memcpy(&left, &a.storage, sizeof left);
  std::memcpy(&right, &b.storage, sizeof right);
  return left.sin_port == right.sin_port && left.sin_addr.s_addr == right.sin_addr.s_addr;
}

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
