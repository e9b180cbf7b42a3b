#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {

/// An address as sockets have it.
class SocketAddress {
 public:
  SocketAddress(const ibv_gid& address, std::uint16_t port) {
    if (is_ipv4(address)) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      std::memcpy(&v4.sin_addr, address.raw + kMappedPrefix.size(), 4);
      std::memcpy(&storage_, &v4, length_ = sizeof v4);
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::memcpy(&v6.sin6_addr, address.raw, sizeof address.raw);
      std::memcpy(&storage_, &v6, length_ = sizeof v6);
    }
  }

  /// The kernel only reads it, whatever its headers say.
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t length() const { return length_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace phalanx::transport::verbs
