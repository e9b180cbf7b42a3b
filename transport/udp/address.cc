#include "transport/udp/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::transport::udp {

std::optional<Address> Address::parse(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  if (getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found) != 0) return std::nullopt;
  Address out;
  PHX_CHECK(found->ai_addrlen <= kLengthMax);
  std::memcpy(out.get(), found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return out;
}

Address Address::of_socket(int fd) {
  Address out;
  socklen_t length = kLengthMax;
  PHX_CHECK(getsockname(fd, out.get(), &length) == 0);
  return out;
}

Address Address::plus_port(std::uint16_t above) const noexcept {
  Address out = *this;
  in_port_t& at = is_ipv6() ? out.storage_.v6.sin6_port : out.storage_.v4.sin_port;
  at = htons(static_cast<std::uint16_t>(port() + above));
  return out;
}

Address Address::on_interface(unsigned int index) const noexcept {
  Address out = *this;
  if (!is_ipv6()) return out;
  const in6_addr& host = storage_.v6.sin6_addr;
  const bool of_a_link = IN6_IS_ADDR_LINKLOCAL(&host) || IN6_IS_ADDR_MC_LINKLOCAL(&host) ||
                         IN6_IS_ADDR_MC_NODELOCAL(&host);
  if (of_a_link && out.storage_.v6.sin6_scope_id == 0) out.storage_.v6.sin6_scope_id = index;
  return out;
}

bool Address::is_multicast() const noexcept {
  return is_ipv6() ? IN6_IS_ADDR_MULTICAST(&storage_.v6.sin6_addr) != 0
                   : IN_MULTICAST(ntohl(storage_.v4.sin_addr.s_addr));
}

std::uint16_t Address::port() const noexcept {
  return ntohs(is_ipv6() ? storage_.v6.sin6_port : storage_.v4.sin_port);
}

std::string Address::text() const {
  char host[INET6_ADDRSTRLEN] = "";
  if (is_ipv6()) {
    inet_ntop(AF_INET6, &storage_.v6.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(port());
  }
  inet_ntop(AF_INET, &storage_.v4.sin_addr, host, sizeof host);
  return std::string(host) + ":" + std::to_string(port());
}

bool Address::same_host(const Address& other) const noexcept {
  if (storage_.any.ss_family != other.storage_.any.ss_family) return false;
  return is_ipv6() ? IN6_ARE_ADDR_EQUAL(&storage_.v6.sin6_addr, &other.storage_.v6.sin6_addr) != 0
                   : storage_.v4.sin_addr.s_addr == other.storage_.v4.sin_addr.s_addr;
}

}  // namespace phalanx::transport::udp
